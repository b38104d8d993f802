//! Files that must not be half-written, overwritten by mistake, or readable by others.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::{
            DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _,
        },
    },
    path::{Component, Path, PathBuf},
};

use ring::rand::SecureRandom as _;
use rustix::{
    fs::{CWD, Mode, OFlags, RenameFlags, renameat_with},
    io::Errno,
};

use crate::StoreError;

/// The largest file that is read whole: keys, certificates, directories.
const MAX_FILE: u64 = 64 << 20;

/// What operating systems leave in folders by themselves, and what means nothing.
const STRAYS: [&str; 6] =
    [".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", ".directory", ".localized"];

/// Whether a file was left by an operating system: `.DS_Store`, `Thumbs.db`, the `._` halves of names that a Mac writes.
pub fn is_stray(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    STRAYS.iter().any(|stray| bytes.eq_ignore_ascii_case(stray.as_bytes()))
        || bytes.starts_with(b"._")
}

/// Opens a file that somebody named, for reading. It may be named by a link. It must be a plain file: what waits for
/// others (a FIFO, a socket), never ends (a device) or is a folder is refused, and is not waited for.
///
/// # Errors
/// [`StoreError::File`].
pub fn open_file(path: &Path) -> Result<File, StoreError> {
    open_plain(path, OFlags::empty())
}

/// As [`open_file`], of a file that was found in a folder: nobody has named it, so a link is not followed. It could lead to
/// anything that this process may read.
///
/// # Errors
/// [`StoreError::File`].
pub fn open_member(path: &Path) -> Result<File, StoreError> {
    open_plain(path, OFlags::NOFOLLOW)
}

/// As [`open_member`], of a file at a path below a folder that somebody named: no link is followed on the way to it either.
///
/// # Errors
/// [`StoreError::File`].
pub fn open_below(folder: &Path, below: &Path) -> Result<File, StoreError> {
    let path = folder.join(below);
    let failed = |error: Errno| match error {
        Errno::LOOP | Errno::NOTDIR => no_plain_file(&path, "behind a link, or behind a file"),
        error => StoreError::file(&path)(error.into()),
    };
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let mut at = rustix::fs::open(folder, flags, Mode::empty()).map_err(failed)?;
    let above = below.parent().unwrap_or(Path::new(""));
    for step in above.components() {
        let Component::Normal(name) = step else { return Err(failed(Errno::INVAL)) };
        let next = rustix::fs::openat(&at, name, flags | OFlags::NOFOLLOW, Mode::empty());
        at = next.map_err(failed)?;
    }
    let name = below.file_name().ok_or_else(|| failed(Errno::INVAL))?;
    open_plain_at(at.as_fd(), name.as_ref(), &path, OFlags::NOFOLLOW)
}

fn open_plain(path: &Path, flags: OFlags) -> Result<File, StoreError> {
    open_plain_at(CWD, path, path, flags)
}

/// Opens a plain file by its name in an open folder; `path` is what it is called.
fn open_plain_at(
    folder: BorrowedFd<'_>,
    name: &Path,
    path: &Path,
    flags: OFlags,
) -> Result<File, StoreError> {
    // Without it, opening a FIFO would wait for its other end. It changes nothing about a plain file.
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(folder, name, flags | OFlags::RDONLY, Mode::empty());
    let file = match opened {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) if flags.contains(OFlags::NOFOLLOW) => {
            return Err(no_plain_file(path, "a link"));
        }
        // What no device or nobody stands behind.
        Err(Errno::NXIO) => return Err(no_plain_file(path, "no plain file")),
        Err(error) => return Err(StoreError::file(path)(error.into())),
    };
    let kind = file.metadata().map_err(StoreError::file(path))?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let what = match kind {
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "no plain file",
    };
    Err(no_plain_file(path, what))
}

fn no_plain_file(path: &Path, what: &str) -> StoreError {
    let why = format!("it is {what}; a plain file is needed");
    StoreError::file(path)(std::io::Error::new(std::io::ErrorKind::InvalidInput, why))
}

/// What makes a name that nobody else has.
fn random_name() -> Result<[u8; 12], StoreError> {
    let mut bytes = [0; 12];
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| StoreError::Broken("the system gives no random bytes".into()))?;
    Ok(bytes)
}

/// Reads a small file whole.
///
/// # Errors
/// [`StoreError::File`], also when it is larger than 64 MiB or no plain file.
pub fn read_file(path: &Path) -> Result<Vec<u8>, StoreError> {
    read_whole(open_file(path)?, path)
}

/// As [`read_file`], of a file that was found in a folder.
///
/// # Errors
/// [`StoreError::File`], also when it is a link.
pub fn read_member(path: &Path) -> Result<Vec<u8>, StoreError> {
    read_whole(open_member(path)?, path)
}

/// As [`read_member`], by [`open_below`].
///
/// # Errors
/// [`StoreError::File`].
pub fn read_below(folder: &Path, below: &Path) -> Result<Vec<u8>, StoreError> {
    read_whole(open_below(folder, below)?, &folder.join(below))
}

fn read_whole(file: File, path: &Path) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    // Not by what its size is said to be: it may grow, and in /proc everything has none.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(StoreError::file(path))?;
    if bytes.len() as u64 > MAX_FILE {
        let why = format!("more than {MAX_FILE} bytes are too large for such a file");
        let error = std::io::Error::new(std::io::ErrorKind::FileTooLarge, why);
        return Err(StoreError::file(path)(error));
    }
    Ok(bytes)
}

/// Reads a small text whole, without the mark that some editors put before it.
///
/// # Errors
/// [`StoreError::File`], also when it is no UTF-8.
pub fn read_text(path: &Path) -> Result<String, StoreError> {
    let text = String::from_utf8(read_file(path)?).map_err(|e| {
        let e = std::io::Error::new(std::io::ErrorKind::InvalidData, e.utf8_error().to_string());
        StoreError::file(path)(e)
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The files of a folder in the order of their names, without what operating systems leave there; none when there is no
/// folder. The folder itself may not be a link, nor may anything in it.
///
/// # Errors
/// [`StoreError::File`].
pub fn members(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = every_member(folder)?;
    files.retain(|file| !is_stray(file.file_name().unwrap_or_default()));
    Ok(files)
}

/// As [`members`], with what operating systems leave: for those who say of everything what it is.
///
/// # Errors
/// [`StoreError::File`].
pub fn every_member(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    match folder.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::file(folder)(error)),
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            let why = "it is no folder";
            let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, why);
            return Err(StoreError::file(folder)(error));
        }
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(StoreError::file(folder))? {
        files.push(entry.map_err(StoreError::file(folder))?.path());
    }
    files.sort();
    Ok(files)
}

/// A new file or folder beside its place, for this user only, under a name that nobody can foresee. It gets its place when
/// it is whole, and never takes what came to stand there meanwhile. Dropped before, it leaves nothing behind, and of what
/// others put beside it nothing is touched.
#[derive(Debug)]
pub struct Staged {
    new: PathBuf,
    place: PathBuf,
    done: bool,
}

impl Staged {
    fn beside(place: &Path) -> Result<Self, StoreError> {
        if place.symlink_metadata().is_ok() {
            return Err(StoreError::file(place)(std::io::ErrorKind::AlreadyExists.into()));
        }
        Self::over(place)
    }

    fn over(place: &Path) -> Result<Self, StoreError> {
        let mut name = std::ffi::OsString::from(".");
        // The name itself may be as long as names can be.
        let stem = place.file_name().unwrap_or_default().to_string_lossy();
        name.push(stem.chars().take(40).collect::<String>());
        name.push(format!(".{}.new", hex::encode(random_name()?)));
        let new = place.with_file_name(name);
        Ok(Self { new, place: place.to_owned(), done: false })
    }

    /// Makes a folder, with those above its place.
    ///
    /// # Errors
    /// [`StoreError::File`], also when something stands at its place already.
    pub fn folder(place: &Path) -> Result<Self, StoreError> {
        let staged = Self::beside(place)?;
        make_parent(place)?;
        let made = std::fs::DirBuilder::new().mode(0o700).create(&staged.new);
        made.map_err(StoreError::file(&staged.new))?;
        Ok(staged)
    }

    /// Makes a file with the permissions that it is to have.
    ///
    /// # Errors
    /// [`StoreError::File`], also when something stands at its place already.
    pub fn file(place: &Path, mode: u32) -> Result<(Self, File), StoreError> {
        Self::beside(place)?.create(mode)
    }

    /// Makes a file that is to take the place of what stands there.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn replacing(place: &Path, mode: u32) -> Result<(Self, File), StoreError> {
        Self::over(place)?.create(mode)
    }

    fn create(self, mode: u32) -> Result<(Self, File), StoreError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&self.new);
        let file = file.map_err(StoreError::file(&self.new))?;
        Ok((self, file))
    }

    /// Where it lies until it is done.
    pub fn path(&self) -> &Path {
        &self.new
    }

    /// Gives it its place, unless something has come to stand there.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn finish(mut self) -> Result<(), StoreError> {
        let (new, place) = (&self.new, &self.place);
        let moved = renameat_with(CWD, new, CWD, place, RenameFlags::NOREPLACE);
        match moved {
            Ok(()) => {}
            // Not every file system can do that.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if new.is_file() => {
                std::fs::hard_link(new, place).map_err(StoreError::file(place))?;
                std::fs::remove_file(new).map_err(StoreError::file(new))?;
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                // A folder takes the place of nothing but an empty folder.
                std::fs::rename(new, place).map_err(StoreError::file(place))?;
            }
            Err(error) => return Err(StoreError::file(place)(error.into())),
        }
        self.done = true;
        sync_parent(place)
    }

    /// Gives it the place of what stands there.
    ///
    /// # Errors
    /// [`StoreError::File`].
    pub fn replace(mut self) -> Result<(), StoreError> {
        std::fs::rename(&self.new, &self.place).map_err(StoreError::file(&self.place))?;
        self.done = true;
        sync_parent(&self.place)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // Made by this process under a name of its own: what is in it is its own. Nothing more can be done about it here.
        match self.new.symlink_metadata() {
            Ok(found) if found.is_dir() => drop(std::fs::remove_dir_all(&self.new)),
            Ok(_) => drop(std::fs::remove_file(&self.new)),
            Err(_) => {}
        }
    }
}

fn make_parent(path: &Path) -> Result<(), StoreError> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::create_dir_all(parent).map_err(StoreError::file(parent)),
        None => Ok(()),
    }
}

fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_directory(parent.unwrap_or(Path::new(".")))
}

/// Opens a file that only grows, to which lines are added; it is made if it is not there. It must be a plain file and no
/// link: what is written would end somewhere else.
///
/// # Errors
/// [`StoreError::File`].
pub fn open_log(path: &Path) -> Result<File, StoreError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    // All of the flags have positive values.
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    let opened = options.read(true).append(true).create(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == Errno::LOOP.raw_os_error() => no_plain_file(path, "a link"),
        _ => StoreError::file(path)(error),
    })?;
    match file.metadata().map_err(StoreError::file(path))?.is_file() {
        true => Ok(file),
        false => Err(no_plain_file(path, "no plain file")),
    }
}

/// Makes a folder for this user only in one that is there.
///
/// # Errors
/// [`StoreError::File`], also when it is there already.
pub fn new_folder(path: &Path) -> Result<(), StoreError> {
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(StoreError::file(path))
}

/// Creates a file for this user only, which must not be there.
///
/// # Errors
/// [`StoreError::File`]; what is there stays as it is.
pub fn create_private_file(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map_err(StoreError::file(path))
}

/// Writes a file that must not exist yet, with mode 0644.
///
/// # Errors
/// [`StoreError::File`]; an existing file stays as it is.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    create(path, bytes, 0o644)
}

/// Writes a private file that must not exist yet, with mode 0600.
///
/// # Errors
/// [`StoreError::File`]; an existing file stays as it is.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    create(path, bytes, 0o600)
}

fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), StoreError> {
    make_parent(path)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = file.map_err(StoreError::file(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(StoreError::file(path))
}

/// Makes a folder that only its owner may enter.
///
/// # Errors
/// [`StoreError::File`].
pub fn create_private(path: &Path) -> Result<(), StoreError> {
    std::fs::create_dir_all(path).map_err(StoreError::file(path))?;
    let owner = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(path, owner).map_err(StoreError::file(path))
}

/// Refuses a private file that others may read.
pub fn check_private(path: &Path) -> Result<(), StoreError> {
    let mode = std::fs::metadata(path).map_err(StoreError::file(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyExposed { path: path.to_owned(), mode: mode & 0o777 });
    }
    Ok(())
}

/// Makes a rename in a directory survive a power cut.
///
/// # Errors
/// [`StoreError::File`].
pub fn sync_directory(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(StoreError::file(path))
}

/// Says that a part of a file is not needed in memory any more. Where that cannot be said, it stays: nothing depends on it.
pub fn drop_cached(file: impl std::os::fd::AsFd, from: u64, bytes: u64) {
    if let Some(bytes) = std::num::NonZeroU64::new(bytes) {
        rustix::fs::fadvise(file, from, Some(bytes), rustix::fs::Advice::DontNeed).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays_and_private_files_are_for_their_owner() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let (public, private) = (dir.path().join("a/b/public"), dir.path().join("private"));
        write_new(&public, b"first").expect("writes, with the folders above");
        write_private(&private, b"secret").expect("writes");
        for again in [write_new(&public, b"second"), write_private(&public, b"second")] {
            assert_eq!(again.expect_err("it is there").code(), "CHY-4001");
        }
        assert_eq!(read_file(&public).expect("reads"), b"first");
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&private), 0o600);
        check_private(&private).expect("nobody else can read it");
        assert_eq!(check_private(&public).expect_err("others can").code(), "CHY-4003");
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let path = dir.path().join("large");
        File::create_new(&path).and_then(|f| f.set_len(MAX_FILE + 1)).expect("a sparse file");
        assert_eq!(read_file(&path).expect_err("too large").code(), "CHY-4001");
    }

    #[test]
    fn only_plain_files_are_read_and_links_only_where_somebody_named_them() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        write_new(&at("plain"), b"text").expect("writes");
        std::os::unix::fs::symlink(at("plain"), at("link")).expect("links");
        std::os::unix::fs::symlink("/dev/zero", at("zero")).expect("links");
        std::os::unix::fs::symlink(dir.path(), at("folder")).expect("links");
        let fifo = rustix::fs::mknodat(CWD, at("fifo"), rustix::fs::FileType::Fifo, Mode::RWXU, 0);
        fifo.expect("makes a FIFO");
        let _listening = std::os::unix::net::UnixListener::bind(at("socket")).expect("binds");
        assert_eq!(read_file(&at("plain")).expect("reads"), b"text");
        assert_eq!(read_file(&at("link")).expect("it is named"), b"text");
        assert_eq!(read_member(&at("plain")).expect("reads"), b"text");
        for name in ["zero", "folder", "fifo", "socket", "nothing"] {
            assert_eq!(read_file(&at(name)).expect_err(name).code(), "CHY-4001", "{name}");
        }
        for name in ["link", "zero", "folder", "fifo", "socket"] {
            assert_eq!(read_member(&at(name)).expect_err(name).code(), "CHY-4001", "{name}");
        }
        // A file that says it has no bytes.
        assert!(read_file(Path::new("/proc/self/status")).expect("reads").len() > 100);
        for name in ["link", "zero", "folder", "fifo"] {
            assert_eq!(open_log(&at(name)).expect_err(name).code(), "CHY-4001", "{name}");
        }
        open_log(&at("log"))
            .and_then(|mut f| f.write_all(b"a").map_err(StoreError::file("log")))
            .expect("adds");
        assert!(members(&at("folder")).is_err(), "a link to a folder is not walked");
        assert!(members(&at("nothing")).expect("none").is_empty());
        let mark = "\u{feff}agency = 1\r\n";
        write_new(&at("marked"), mark.as_bytes()).expect("writes");
        assert_eq!(read_text(&at("marked")).expect("reads"), "agency = 1\r\n");
    }

    #[test]
    fn what_systems_leave_in_folders_is_passed_over_and_nothing_else() {
        let dir = tempfile::TempDir::new().expect("a folder");
        for name in ["b", "a", ".DS_Store", "Thumbs.db", "._a", ".hidden", "DS_Store"] {
            write_new(&dir.path().join(name), b"").expect("writes");
        }
        let names = members(dir.path()).expect("reads");
        let names: Vec<_> = names.iter().filter_map(|path| path.file_name()).collect();
        assert_eq!(names, [".hidden", "DS_Store", "a", "b"]);
    }

    #[test]
    fn what_is_staged_takes_nothing_of_others_and_leaves_nothing_behind() {
        let dir = tempfile::TempDir::new().expect("a folder");
        let place = dir.path().join("out");
        let count = || std::fs::read_dir(dir.path()).expect("reads").count();

        let staged = Staged::folder(&place).expect("makes");
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(staged.path()), 0o700);
        write_new(&staged.path().join("a"), b"1").expect("writes");
        drop(staged);
        assert_eq!(count(), 0);

        // Somebody was faster: that stays, and ours goes.
        let staged = Staged::folder(&place).expect("makes");
        std::fs::create_dir(&place).expect("makes");
        assert_eq!(staged.finish().expect_err("it is taken").code(), "CHY-4001");
        assert_eq!(count(), 1);
        assert!(Staged::folder(&place).is_err() && Staged::file(&place, 0o600).is_err());
        std::fs::remove_dir(&place).expect("removes");
        std::os::unix::fs::symlink("elsewhere", &place).expect("links");
        assert!(Staged::folder(&place).is_err(), "a link that leads nowhere is something, too");
        std::fs::remove_file(&place).expect("removes");

        let (staged, mut file) = Staged::file(&place, 0o600).expect("makes");
        file.write_all(b"whole").expect("writes");
        staged.finish().expect("is done");
        assert_eq!(
            (read_file(&place).expect("reads").as_slice(), mode(&place)),
            (&b"whole"[..], 0o600)
        );
        let (staged, mut file) = Staged::replacing(&place, 0o644).expect("makes");
        file.write_all(b"new").expect("writes");
        staged.replace().expect("is done");
        assert_eq!((read_file(&place).expect("reads"), count()), (b"new".to_vec(), 1));
    }
}
