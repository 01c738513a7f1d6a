//! A FAT volume as a disk image.

use std::io::{self, Cursor, Write};

use fatfs::{FileSystem, FormatVolumeOptions, FsOptions, format_volume};

/// The label by which a guest finds the volume; cloud-init's name for it.
const LABEL: &[u8; 11] = b"cidata     ";

/// The size of a volume. FAT needs only some kilobytes, but kernels and tools are best used to floppy-sized ones.
const SIZE: usize = 1 << 20;

/// What the file system itself may take of the volume, generously.
const OVERHEAD: usize = 128 << 10;

/// The image of a volume that holds `files` (name and content).
pub(super) fn image(files: &[(&str, &str)]) -> io::Result<Vec<u8>> {
    let content: usize = files.iter().map(|(_, content)| content.len()).sum();
    let size = (content + OVERHEAD).next_multiple_of(SIZE);
    let mut image = vec![0; size];
    format_volume(
        Cursor::new(image.as_mut_slice()),
        FormatVolumeOptions::new().volume_label(*LABEL),
    )?;
    let volume = FileSystem::new(Cursor::new(image.as_mut_slice()), FsOptions::new())?;
    for (name, content) in files {
        let mut file = volume.root_dir().create_file(name)?;
        file.write_all(content.as_bytes())?;
        file.flush()?;
    }
    volume.unmount()?;
    Ok(image)
}
