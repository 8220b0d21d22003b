//! The user at the other end of a connection, as the kernel knows it.

use flagstone::publish::Asker;
use std::io;
use tokio::net::UnixStream;

/// The user and the groups of the process that connected.
///
/// # Errors
///
/// When the kernel does not say.
pub fn asker(stream: &UnixStream) -> io::Result<Asker> {
    let credentials = stream.peer_cred()?;
    // Without the further groups, as before Linux 4.13, its own group is known.
    let mut groups = groups(stream).unwrap_or_default();
    groups.push(credentials.gid());
    Ok(Asker { uid: credentials.uid(), groups })
}

/// The further groups of that process. They are numbers: names in another container mean other groups.
#[cfg(target_os = "linux")]
fn groups(stream: &UnixStream) -> io::Result<Vec<u32>> {
    use std::os::fd::AsRawFd;

    const NUMBER: usize = size_of::<libc::gid_t>();
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut bytes = (groups.len() * NUMBER) as libc::socklen_t;
        // SAFETY: the pointers are to a buffer of as many bytes as `bytes` says, and to that number.
        let result = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        };
        let found = bytes as usize / NUMBER;
        if result == 0 {
            groups.truncate(found);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ERANGE) if found > groups.len() => groups.resize(found, 0),
            _ => return Err(error),
        }
    }
}

/// Other systems do not say.
///
/// # Errors
///
/// Always.
#[cfg(not(target_os = "linux"))]
fn groups(_: &UnixStream) -> io::Result<Vec<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}
