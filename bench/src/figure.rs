//! A figure: what was measured, what beside it, and whether that is good enough.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeStruct as _;

/// What a value is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Megabytes, of a million bytes each.
    #[serde(rename = "MB")]
    Megabytes,
}

/// What a figure has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// The value, whatever the reference.
    Value(f64),
    /// The value as a multiple of the reference, at most.
    Ratio(f64),
    /// The value as a multiple of the reference, which it must stay below.
    RatioBelow(f64),
    /// The value, and the value as a multiple of the reference.
    ValueAndRatio(f64, f64),
    /// How much the value may exceed the reference.
    Excess(f64),
}

/// Something that was measured, beside a reference from the same run.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What `value` and `reference` are counted in.
    pub(crate) unit: Unit,
    /// What was measured.
    pub(crate) value: f64,
    /// What was measured beside it.
    pub(crate) reference: f64,
    /// What the reference is.
    pub(crate) reference_name: String,
    /// What has to be reached, if anything has.
    pub(crate) goal: Option<Goal>,
    /// Where the value comes from: its parts, its spread.
    pub(crate) note: String,
}

impl Unit {
    fn decimals(self) -> usize {
        match self {
            Self::Seconds => 3,
            Self::Milliseconds | Self::Megabytes => 1,
        }
    }

    /// A value with the unit.
    pub(crate) fn show(self, value: f64) -> String {
        format!("{value:.*} {self}", self.decimals())
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Megabytes => "MB",
        })
    }
}

impl Figure {
    /// How many times the reference the value is; nothing for a reference of zero.
    pub(crate) fn ratio(&self) -> Option<f64> {
        (self.reference > 0.0).then(|| self.value / self.reference)
    }

    /// Whether the goal is reached; nothing without a goal, or when it needs a ratio and there is none.
    pub(crate) fn met(&self) -> Option<bool> {
        Some(match self.goal? {
            Goal::Value(limit) => self.value <= limit,
            Goal::Ratio(limit) => self.ratio()? <= limit,
            Goal::RatioBelow(limit) => self.ratio()? < limit,
            Goal::ValueAndRatio(limit, ratio) => self.value <= limit && self.ratio()? <= ratio,
            Goal::Excess(limit) => self.value - self.reference <= limit,
        })
    }

    /// The goal in words; empty without one.
    pub(crate) fn goal_text(&self) -> String {
        match self.goal {
            None => String::new(),
            Some(Goal::Value(limit)) => format!("at most {limit} {}", self.unit),
            Some(Goal::Ratio(limit)) => format!("ratio at most {limit:.2}"),
            Some(Goal::RatioBelow(limit)) => format!("ratio below {limit:.2}"),
            Some(Goal::ValueAndRatio(limit, ratio)) => {
                format!("at most {limit} {}, ratio at most {ratio:.2}", self.unit)
            }
            Some(Goal::Excess(limit)) => format!("reference + {limit} {}", self.unit),
        }
    }
}

/// With what follows from the fields.
impl Serialize for Figure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Figure", 9)?;
        object.serialize_field("name", self.name)?;
        object.serialize_field("unit", &self.unit)?;
        object.serialize_field("value", &self.value)?;
        object.serialize_field("reference", &self.reference)?;
        object.serialize_field("reference_name", &self.reference_name)?;
        object.serialize_field("ratio", &self.ratio())?;
        object.serialize_field("goal", &self.goal.map(|_| self.goal_text()))?;
        object.serialize_field("met", &self.met())?;
        object.serialize_field("note", &self.note)?;
        object.end()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn figure(value: f64, reference: f64, goal: Option<Goal>) -> Figure {
        Figure {
            name: "start",
            unit: Unit::Seconds,
            value,
            reference,
            reference_name: "bare QEMU".to_owned(),
            goal,
            note: "boot 6 s".to_owned(),
        }
    }

    #[test]
    fn goals_include_their_limit_unless_they_say_below() {
        let met = |value, reference, goal| figure(value, reference, Some(goal)).met();
        assert_eq!(met(1.0, 0.1, Goal::Value(1.0)), Some(true));
        assert_eq!(met(1.1, 0.1, Goal::Value(1.0)), Some(false));
        assert_eq!(met(3.0, 2.0, Goal::Ratio(1.5)), Some(true));
        assert_eq!(met(3.1, 2.0, Goal::Ratio(1.5)), Some(false));
        assert_eq!(met(3.9, 2.0, Goal::RatioBelow(2.0)), Some(true));
        assert_eq!(met(4.0, 2.0, Goal::RatioBelow(2.0)), Some(false));
        assert_eq!(met(1.5, 1.0, Goal::ValueAndRatio(1.5, 2.0)), Some(true));
        assert_eq!(met(1.5, 0.7, Goal::ValueAndRatio(1.5, 2.0)), Some(false));
        assert_eq!(met(1.6, 1.0, Goal::ValueAndRatio(1.5, 2.0)), Some(false));
        assert_eq!(met(40.0, 10.0, Goal::Excess(30.0)), Some(true));
        assert_eq!(met(41.0, 10.0, Goal::Excess(30.0)), Some(false));
    }

    #[test]
    fn a_reference_of_zero_has_no_ratio() {
        let figure = figure(1.0, 0.0, Some(Goal::Ratio(1.1)));
        assert_eq!((figure.ratio(), figure.met()), (None, None));
    }

    #[test]
    fn json_has_the_documented_fields() {
        let json = serde_json::to_value(figure(3.0, 2.0, Some(Goal::Ratio(1.1)))).unwrap();
        let expected = serde_json::json!({
            "name": "start", "unit": "s", "value": 3.0, "reference": 2.0,
            "reference_name": "bare QEMU", "ratio": 1.5, "goal": "ratio at most 1.10",
            "met": false, "note": "boot 6 s",
        });
        assert_eq!(json, expected);
    }
}
