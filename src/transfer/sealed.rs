//! An export: a bundle in a file, signed so that no carrier can change it.
//!
//! Each store has a key of its own, and trusts the public keys of others; no secret ever travels. The signed bytes are those of `export`
//! as they stand in the file: Ed25519 (RFC 8032) over them with a line of context in front.

use super::Bundle;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt::Write as _;

/// Prefix of the signed bytes, so that the signature is valid for no other use.
const CONTEXT: &[u8] = b"flagstone export 1\n";
const PREFIX: &str = "flagstone-ed25519";

/// The origin of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The environment's name.
    pub environment: String,
    /// The store's id, 32 hex digits.
    pub store: String,
    /// The machine's name.
    pub machine: String,
    /// The generation current at the export.
    pub generation: u64,
    /// The author of the export; absent in a promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Time of the export as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Random, 32 hex digits: an export arrives once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
}

/// The signed content of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The format's version, 1.
    pub version: u32,
    /// The store that it comes from.
    pub origin: Origin,
    /// The flags transferred.
    #[serde(rename = "parcel")]
    pub bundle: Bundle,
}

#[derive(Serialize)]
struct SealedText<'a> {
    export: &'a RawValue,
    key: String,
    signature: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedInput<'a> {
    #[serde(borrow)]
    export: &'a RawValue,
    key: String,
    signature: String,
}

/// A store's secret signing key.
pub struct ExportKey(SigningKey);

/// A key that a store trusts, with its name there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// A single word.
    pub name: String,
    /// 64 hex digits.
    pub key: String,
}

/// The reason why an export is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The file is no export.
    #[error("this is no export: {0}")]
    Form(String),
    /// The version is not supported.
    #[error("the export has version {0}, expected 1: upgrade flagstone here")]
    Version(u32),
    /// The signing key is not trusted here.
    #[error(
        "it is signed by the key {key}, which this store does not trust; if it is that of the store it comes from, type: flagstone key trust NAME {key}"
    )]
    Untrusted {
        /// The key, as `key` prints it.
        key: String,
    },
    /// The content was changed after signing.
    #[error(
        "the signature does not hold: the export was changed after it was signed, or written anew by an editor; export it again"
    )]
    Tampered,
}

impl ExportKey {
    /// Derives the key from 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> ExportKey {
        ExportKey(SigningKey::from_bytes(seed))
    }

    /// `flagstone-ed25519:` and 64 hex digits; not a secret.
    pub fn public(&self) -> String {
        format!("{PREFIX}:{}", hex(self.0.verifying_key().as_bytes()))
    }
}

impl Trusted {
    /// Reads a key in the form that `flagstone key` prints; `None` if it is none.
    pub fn new(name: &str, key: &str) -> Option<Trusted> {
        let digits = key.strip_prefix(PREFIX)?.strip_prefix(':')?;
        VerifyingKey::from_bytes(&bytes::<32>(digits)?).ok().filter(|key| !key.is_weak())?;
        Some(Trusted { name: name.to_owned(), key: digits.to_owned() })
    }

    /// The key in the form that `flagstone key` prints.
    pub fn public(&self) -> String {
        format!("{PREFIX}:{}", self.key)
    }
}

/// Signs an export and returns its text, one line.
///
/// # Errors
///
/// When it cannot be written as JSON, which cannot happen for anything that a store holds.
pub fn seal(sealed: &Sealed, key: &ExportKey) -> Result<String, SealError> {
    let form = |error: serde_json::Error| SealError::Form(error.to_string());
    let export = serde_json::to_string(sealed).map_err(form)?;
    let signature = key.0.sign(&signed(export.as_bytes()));
    let export = RawValue::from_string(export).map_err(form)?;
    let written = SealedText { export: &export, key: key.public(), signature: hex(&signature.to_bytes()) };
    serde_json::to_string(&written).map(|text| text + "\n").map_err(form)
}

/// Verifies an export, and returns it with the name of the key that signed it.
///
/// # Errors
///
/// When it is no export, no trusted key signed it, or it was changed since. The content is parsed only after that.
pub fn open(text: &[u8], trusted: &[Trusted]) -> Result<(Sealed, String), SealError> {
    let form = |error: serde_json::Error| SealError::Form(error.to_string());
    let read: SealedInput = serde_json::from_slice(text).map_err(form)?;
    let untrusted = || SealError::Untrusted { key: read.key.clone() };
    let claimed = Trusted::new("", &read.key).ok_or_else(|| SealError::Form("its key is none".to_owned()))?;
    let known = trusted.iter().find(|known| known.key == claimed.key).ok_or_else(untrusted)?;
    let key = bytes::<32>(&known.key)
        .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
        .ok_or_else(untrusted)?;
    let signature = bytes::<64>(&read.signature).ok_or(SealError::Tampered)?;
    key.verify_strict(&signed(read.export.get().as_bytes()), &Signature::from_bytes(&signature))
        .map_err(|_| SealError::Tampered)?;
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    match serde_json::from_str::<Version>(read.export.get()).map_err(form)?.version {
        1 => Ok((serde_json::from_str(read.export.get()).map_err(form)?, known.name.clone())),
        other => Err(SealError::Version(other)),
    }
}

fn signed(export: &[u8]) -> Vec<u8> {
    [CONTEXT, export].concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let sound = digits.len() == 2 * N && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let mut bytes = [0; N];
    for (number, byte) in bytes.iter_mut().enumerate().filter(|_| sound) {
        *byte = u8::from_str_radix(digits.get(2 * number..2 * number + 2)?, 16).ok()?;
    }
    sound.then_some(bytes)
}
