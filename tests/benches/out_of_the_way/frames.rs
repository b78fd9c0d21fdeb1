//! How long a game's frames take, while Lull works and while it does not.
//!
//! The game here is `glxgears` in a window, which no guard is about: a software device tells nobody who uses it. A small
//! library that is loaded into it writes down when each frame is done.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Stands before the function by which every frame ends.
const WRITER: &str = "#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
void glXSwapBuffers(void *display, unsigned long drawable) {
    static void (*swap)(void *, unsigned long);
    static int file;
    if (!swap) {
        swap = (void (*)(void *, unsigned long))dlsym(RTLD_NEXT, \"glXSwapBuffers\");
        file = open(getenv(\"FRAMES\"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    }
    swap(display, drawable);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t at = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    if (write(file, &at, sizeof at) != sizeof at) abort();
}
";

/// The library, and where it writes.
pub struct FrameWriter {
    folder: TempDir,
}

impl FrameWriter {
    /// Builds it.
    ///
    /// # Errors
    /// When there is no compiler for C.
    pub fn build() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("writer.c");
        std::fs::write(&source, WRITER)?;
        let writer = Self { folder };
        let built = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&writer.library(), &source])
            .arg("-ldl")
            .status()
            .context("cc is not installed")?;
        ensure!(built.success(), "the frames' writer cannot be built");
        Ok(writer)
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("writer.so")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("frames")
    }

    /// Has a game write down its frames.
    pub fn follow(&self, game: &mut Command) {
        game.env("LD_PRELOAD", self.library()).env("FRAMES", self.file());
    }

    /// How long the last game's frames took, in milliseconds, without those of its `start`.
    pub fn frames(&self, start: Duration) -> Result<Vec<f64>> {
        let ends = ends(&self.file())?;
        let from = ends.first().context("no frame was drawn")? + start.as_nanos() as u64;
        Ok(ends.windows(2).filter(|two| two[0] >= from).map(|two| (two[1] - two[0]) as f64 / 1e6).collect())
    }
}

fn ends(file: &Path) -> Result<Vec<u64>> {
    let bytes = std::fs::read(file).context("the game has loaded no writer of frames")?;
    Ok(bytes.as_chunks().0.iter().map(|end| u64::from_ne_bytes(*end)).collect())
}
