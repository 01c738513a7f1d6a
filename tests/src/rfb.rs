//! As much of a VNC viewer as looks whether it is let in: RFB 3.8, [RFC 6143](https://www.rfc-editor.org/rfc/rfc6143).

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use des::Des;
use des::cipher::generic_array::GenericArray;
use des::cipher::{BlockEncrypt as _, KeyInit as _};

/// How long the display may take for one answer.
const LIMIT: Duration = Duration::from_secs(10);

const VERSION: &[u8; 12] = b"RFB 003.008\n";

/// The kind of security that asks for nothing.
pub const NO_SECURITY: u8 = 1;

/// The kind that asks for a password.
const VNC_AUTHENTICATION: u8 = 2;

/// A connection to a display that has said how one is let in.
#[derive(Debug)]
pub struct Viewer {
    stream: TcpStream,
    /// The kinds of security that the display offers.
    pub security: Vec<u8>,
}

impl Viewer {
    /// Connects and agrees upon a version.
    ///
    /// # Errors
    /// When nothing answers there, or something else.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let version: [u8; 12] = read(&mut stream)?;
        if &version != VERSION {
            return Err(io::Error::other(format!("{:?}", String::from_utf8_lossy(&version))));
        }
        stream.write_all(VERSION)?;
        let [count] = read(&mut stream)?;
        let mut security = vec![0; count.into()];
        stream.read_exact(&mut security)?;
        Ok(Self { stream, security })
    }

    /// Chooses to give no password, and returns whether that lets one in.
    ///
    /// # Errors
    /// When the display hangs up.
    pub fn enter_without_password(mut self) -> io::Result<bool> {
        self.stream.write_all(&[NO_SECURITY])?;
        self.is_let_in()
    }

    /// Answers the challenge with a password. The size of the display, if that lets one in.
    ///
    /// # Errors
    /// When the display hangs up.
    pub fn enter(mut self, password: &str) -> io::Result<Option<(u16, u16)>> {
        self.stream.write_all(&[VNC_AUTHENTICATION])?;
        let mut challenge: [u8; 16] = read(&mut self.stream)?;
        let cipher = Des::new(&key(password).into());
        for block in challenge.chunks_exact_mut(8) {
            cipher.encrypt_block(GenericArray::from_mut_slice(block));
        }
        self.stream.write_all(&challenge)?;
        if !self.is_let_in()? {
            return Ok(None);
        }
        // Others may look as well.
        self.stream.write_all(&[1])?;
        let [a, b, c, d] = read(&mut self.stream)?;
        Ok(Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))))
    }

    fn is_let_in(&mut self) -> io::Result<bool> {
        Ok(u32::from_be_bytes(read(&mut self.stream)?) == 0)
    }
}

/// The first eight letters, each with its bits in the other order: a mistake of the first implementation, which became the
/// protocol.
fn key(password: &str) -> [u8; 8] {
    let mut key = [0; 8];
    for (byte, letter) in key.iter_mut().zip(password.bytes()) {
        *byte = letter.reverse_bits();
    }
    key
}

fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
