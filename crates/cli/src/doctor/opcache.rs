//! Checks whether two PHPs share compiled code that is right for one of them alone.
//!
//! With `opcache.file_cache` PHP keeps compiled code in files, where a call of an extension's function is a call of an internal function.
//! A PHP without the extension that runs such a file ends with a segmentation fault.

use super::answer::Answer;
use super::{OPCACHE, Report};
use crate::display;

/// Reports the check as not asked for.
pub fn unasked(report: &mut Report) {
    report.not_asked(OPCACHE, "name what the pool listens on: --fpm SOCKET");
}

/// Compares the PHP of the command line with the one behind FPM.
pub fn checks(cli: Option<&Answer>, fpm: Option<&Answer>, report: &mut Report) {
    let (Some(cli), Some(fpm)) = (cli, fpm) else {
        return report.unknown(OPCACHE, "one of the two PHPs did not answer", None);
    };
    let directory = &cli.file_cache;
    if directory.is_empty() || *directory != fpm.file_cache {
        return report.passed(OPCACHE, "the command line and FPM share no compiled code");
    }
    let directory = display::plain(directory);
    if cli.status.is_some() == fpm.status.is_some() {
        let both = format!("opcache.file_cache {directory} is shared by two PHPs that are alike");
        return report.passed(OPCACHE, both);
    }
    let (with, without) =
        if fpm.status.is_some() { ("FPM", "the command line") } else { ("the command line", "FPM") };
    report.failed(
        OPCACHE,
        format!(
            "opcache.file_cache {directory} is shared, and only {with} has the extension: the PHP of {without} \
             can end with a segmentation fault"
        ),
        format!(
            "load the extension in both; or give each a directory of its own in its php.ini \
             (opcache.file_cache = …), and empty {directory}"
        ),
    );
}
