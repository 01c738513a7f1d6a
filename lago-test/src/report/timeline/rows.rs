//! Spans in rows in which each lies inside another or beside it, as traces want it: what works in the background overlaps
//! with what goes on meanwhile.

use super::Span;

/// A row, and when the spans end that are open at its end, the outermost first.
#[derive(Debug, Default)]
struct Row<'a> {
    spans: Vec<&'a Span>,
    open: Vec<u64>,
}

/// Spans, in the order in which they begin, in as few rows as it takes when each goes into the first that has room for it.
pub(in super::super) fn rows<'a>(spans: impl IntoIterator<Item = &'a Span>) -> Vec<Vec<&'a Span>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for span in spans {
        let at = rows.iter_mut().position(|row| row.has_room_for(span)).unwrap_or_else(|| {
            rows.push(Row::default());
            rows.len() - 1
        });
        rows[at].spans.push(span);
        rows[at].open.push(span.to);
    }
    rows.into_iter().map(|row| row.spans).collect()
}

impl Row<'_> {
    fn has_room_for(&mut self, span: &Span) -> bool {
        while self.open.last().is_some_and(|&end| end <= span.from) {
            self.open.pop();
        }
        self.open.last().is_none_or(|&end| span.to <= end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Doing;
    use super::*;

    fn span(from: u64, to: u64) -> Span {
        Span { from, to, what: Doing::Work { work: "w".into(), subject: None } }
    }

    #[test]
    fn what_overlaps_goes_into_a_row_of_its_own() {
        let spans = [span(0, 10), span(1, 5), span(2, 4), span(4, 7), span(5, 6), span(10, 12)];
        let rows = rows(&spans);
        let ends: Vec<Vec<_>> =
            rows.iter().map(|row| row.iter().map(|span| (span.from, span.to)).collect()).collect();
        assert_eq!(ends, [vec![(0, 10), (1, 5), (2, 4), (5, 6), (10, 12)], vec![(4, 7)]],);
    }

    #[test]
    fn no_spans_are_no_rows() {
        assert!(rows(&[]).is_empty());
    }
}
