//! Figures for people.

use crate::figure::Figure;

const HEADINGS: [&str; 6] = ["figure", "value", "reference", "ratio", "goal", "met"];

/// Which columns are aligned to the left: those of words.
const LEFT: [bool; 6] = [true, false, false, false, true, true];

/// An aligned table, and below it what each figure was measured beside and where it comes from.
pub(crate) fn render(figures: &[Figure]) -> String {
    let rows: Vec<[String; 6]> =
        std::iter::once(HEADINGS.map(str::to_owned)).chain(figures.iter().map(row)).collect();
    let widths: [usize; 6] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).zip(LEFT).map(|((cell, width), left)| {
            if left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text + &figures.iter().map(remarks).collect::<String>()
}

fn remarks(figure: &Figure) -> String {
    let Figure { name, reference_name, note, .. } = figure;
    format!("\n{name}, beside {reference_name}:\n  {note}\n")
}

fn row(figure: &Figure) -> [String; 6] {
    let met = match figure.met() {
        Some(true) => "yes",
        Some(false) => "NO",
        None => "",
    };
    [
        figure.name.to_owned(),
        figure.unit.show(figure.value),
        figure.unit.show(figure.reference),
        figure.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        figure.goal_text(),
        met.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::figure::tests::figure;
    use crate::figure::{Figure, Goal, Unit};

    #[test]
    fn columns_are_aligned_and_notes_follow() {
        let exec = Figure {
            name: "exec",
            unit: Unit::Milliseconds,
            reference_name: "ssh".to_owned(),
            note: "30 commands".to_owned(),
            ..figure(12.34, 10.0, None)
        };
        let expected = "\
figure    value  reference  ratio  goal                met
start   7.000 s    6.500 s   1.08  ratio at most 1.10  yes
exec    12.3 ms    10.0 ms   1.23

start, beside bare QEMU:
  boot 6 s

exec, beside ssh:
  30 commands
";
        assert_eq!(render(&[figure(7.0, 6.5, Some(Goal::Ratio(1.1))), exec]), expected);
    }
}
