//! A capsule that did not come whole.

use std::fs;
use std::path::Path;

use lago_system_tests::Place;

use crate::refused;

pub(crate) fn is_said(place: &Place, file: &Path) {
    let whole = fs::read(file).unwrap();
    let damaged = place.join("damaged.lago-capsule");
    let directory = place.join("damaged");
    // At the end only the checksums tell.
    for kept in [whole.len() / 3, whole.len() - 2] {
        fs::write(&damaged, &whole[..kept]).unwrap();
        let error = refused(&damaged, &directory);
        assert!(error.contains("is damaged") && error.contains("copy it anew"), "{error}");
    }
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    fs::write(&damaged, &flipped).unwrap();
    let error = refused(&damaged, &directory);
    assert!(error.contains("damaged") || error.contains("is refused"), "{error}");
    fs::write(&damaged, b"something else").unwrap();
    let error = refused(&damaged, &directory);
    assert!(error.contains("is no capsule"), "{error}");
    fs::remove_file(&damaged).unwrap();
}
