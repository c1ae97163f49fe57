//! The cable between the machine and the host's network: every frame can be read, and frames can be forged.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use harness::machine::WireEnds;
use harness::problem::Problem;

/// Frames that are remembered.
const FRAMES_MAX: usize = 500;
/// The longest frame, in bytes.
const FRAME_BYTES_MAX: usize = 64 << 10;
/// Between two looks at whether the cable is still needed.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Nobody panics while holding the frames.
const NO_PANIC: &str = "the reader of frames does not panic";

/// One end of the cable. QEMU has the other one.
pub struct Wire {
    socket: UnixDatagram,
    ends: WireEnds,
    frames: Arc<Mutex<VecDeque<Vec<u8>>>>,
    is_stopped: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Wire {
    /// Lays a cable whose ends are files in `folder`.
    ///
    /// # Errors
    /// The files cannot be made.
    pub fn open(folder: &Path) -> Result<Self, Problem> {
        let broken = |error| Problem::of_host("cable", error);
        fs::create_dir_all(folder).map_err(broken)?;
        let ends = WireEnds {
            ours: folder.join("ours"),
            machines: folder.join("machines"),
        };
        for end in [&ends.ours, &ends.machines] {
            remove(end)?;
        }
        let socket = UnixDatagram::bind(&ends.ours).map_err(broken)?;
        socket
            .set_read_timeout(Some(POLL_INTERVAL))
            .map_err(broken)?;
        let frames = Arc::new(Mutex::new(VecDeque::new()));
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (ear, kept, stopped) = (
            socket.try_clone().map_err(broken)?,
            frames.clone(),
            is_stopped.clone(),
        );
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; FRAME_BYTES_MAX];
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(length) = ear.recv(&mut buffer) {
                    let mut kept = kept.lock().expect(NO_PANIC);
                    if kept.len() == FRAMES_MAX {
                        kept.pop_front();
                    }
                    kept.push_back(buffer[..length].to_vec());
                }
            }
        });
        Ok(Self {
            socket,
            ends,
            frames,
            is_stopped,
            reader: Some(reader),
        })
    }

    /// Returns both ends, for the machine.
    pub fn ends(&self) -> WireEnds {
        self.ends.clone()
    }

    /// Sends a frame to the machine. A full cable drops it.
    pub fn send(&self, frame: &[u8]) {
        // Whether frames arrive is seen by what they do.
        let _ = self.socket.send_to(frame, &self.ends.machines);
    }

    /// Waits for a frame that `is_wanted`.
    ///
    /// # Errors
    /// None comes within `limit`.
    pub fn find(
        &self,
        limit: Duration,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>, Problem> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            let found = {
                let frames = self.frames.lock().expect(NO_PANIC);
                frames.iter().rev().find(|frame| is_wanted(frame)).cloned()
            };
            if let Some(frame) = found {
                return Ok(frame);
            }
            thread::sleep(POLL_INTERVAL);
        }
        Err(Problem::TimedOut(
            "the frame does not pass on the cable".into(),
        ))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // It has nothing to report.
            let _ = reader.join();
        }
        for end in [&self.ends.ours, &self.ends.machines] {
            let _ = remove(end);
        }
    }
}

fn remove(path: &PathBuf) -> Result<(), Problem> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Problem::of_host(path.display(), error))
        }
        _ => Ok(()),
    }
}
