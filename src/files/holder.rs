//! Processes that hold a lock or a lease (proc_locks(5)).

/// The process that holds a lock or lease of one of these kinds on that inode, as far as this process can see it.
///
/// The device is not compared: some file systems report another one there.
pub(crate) fn holder_of(inode: u64, kinds: &[&str]) -> Option<u32> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (kind, process) = (fields.next()?, fields.nth(2)?.parse().ok()?);
        let found = fields.next()?.rsplit(':').next()?.parse() == Ok(inode);
        (found && kinds.contains(&kind)).then_some(process)
    })
}
