//! Where file systems may begin on a disk: at its start, and at that of each partition.

use std::io::{self, Read as _, Seek as _, SeekFrom};

use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;

use super::Disk;

const SECTOR: u64 = 512;

/// The first sector of a disk.
type BootSector = [u8; 512];

/// The table of a master boot record: its place in the first sector, and that of the type and of the first sector in
/// each of its four entries.
const TABLE: usize = 446;
const ENTRY: usize = 16;
const ENTRIES: usize = 4;
const TYPE: usize = 4;
const FIRST_SECTOR: usize = 8;

/// What ends a boot sector that holds a table.
const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// The bytes at which file systems may begin. Partitions inside an extended one are left out: who has these has
/// a volume manager, too.
pub(super) fn starts(disk: &mut Disk) -> io::Result<Vec<u64>> {
    let gpt =
        GptConfig::new().logical_block_size(LogicalBlockSize::Lb512).open_from_device(disk.clone());
    if let Ok(table) = gpt {
        let used = table.partitions().values().filter(|partition| partition.is_used());
        return Ok(used.map(|partition| partition.first_lba * SECTOR).collect());
    }
    let mut sector: BootSector = [0; 512];
    disk.seek(SeekFrom::Start(0))?;
    disk.read_exact(&mut sector)?;
    Ok(std::iter::once(0).chain(of_boot_record(&sector)).collect())
}

fn of_boot_record(sector: &BootSector) -> Vec<u64> {
    if !sector.ends_with(&SIGNATURE) {
        return Vec::new();
    }
    let entries = sector[TABLE..].chunks_exact(ENTRY).take(ENTRIES);
    let starts = entries.filter(|entry| entry[TYPE] != 0).filter_map(|entry| {
        let first = entry.get(FIRST_SECTOR..)?.first_chunk::<4>()?;
        Some(u64::from(u32::from_le_bytes(*first)) * SECTOR)
    });
    starts.filter(|&start| start != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_record_has_up_to_four_partitions() {
        let mut sector: BootSector = [0; 512];
        assert!(of_boot_record(&sector).is_empty());
        sector[510..].copy_from_slice(&SIGNATURE);
        assert!(of_boot_record(&sector).is_empty());
        for (number, (kind, first)) in [(0x0c, 2048_u32), (0, 9), (0x83, 67_584)].iter().enumerate()
        {
            let entry = &mut sector[TABLE + number * ENTRY..][..ENTRY];
            entry[TYPE] = *kind;
            entry[FIRST_SECTOR..][..4].copy_from_slice(&first.to_le_bytes());
        }
        assert_eq!(of_boot_record(&sector), [2048 * 512, 67_584 * 512]);
    }
}
