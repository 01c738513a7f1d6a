use std::process::ExitCode;

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::output::OutFormat;
use crate::host::{self, Check, Status};

pub(in crate::cli) fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let checks = host::doctor();
    if context.out_format == OutFormat::Default {
        for check in &checks {
            println!("{}", line(check));
        }
    } else {
        context.print(&json!(checks))?;
    }
    let missing = checks.iter().any(|check| check.status == Status::Missing);
    Ok(if missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn line(check: &Check) -> String {
    let mark = match check.status {
        Status::Ok => "ok     ",
        Status::Warning => "warning",
        Status::Missing => "MISSING",
    };
    let remedy = check.remedy.as_ref().map(|remedy| format!("; mend it with: {remedy}"));
    format!("{mark} {}: {}{}", check.name, check.detail, remedy.unwrap_or_default())
}
