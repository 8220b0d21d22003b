//! Compiles a rule's condition to a program of comparisons whose jumps only go forward.
//!
//! Tests are emitted from the last to the first, so that the targets of a comparison are known when it is written. Segments are inlined.

use super::compiler::Compiler;
use super::error::{CompileError, at_most};
use super::values;
use crate::definition::{CompanyId, Condition, Scalar, Test};
use crate::snapshot::format::{
    ATTRIBUTE_COMPANY, ATTRIBUTE_NOW, JUMP_FAILS, JUMP_HOLDS, MAX_OPERAND, MAX_TESTS, TestRecord, op, operand,
};
use crate::{semver, time};

/// Maximum nesting of conditions: above the limit of `check`.
const MAX_NESTING: usize = 200;

/// Target of a test: an end, or a test by its number from the end.
#[derive(Clone, Copy, PartialEq)]
enum Jump {
    Holds,
    Fails,
    ToBack(usize),
}

struct Pending {
    test: TestRecord,
    on_match: Jump,
    on_mismatch: Jump,
}

/// Returns the tests of `condition`, the first one to run first; none if it always holds.
pub(super) fn lower<'a>(
    compiler: &mut Compiler<'a>,
    flag: &'a str,
    condition: &'a Condition,
) -> Result<Vec<TestRecord>, CompileError> {
    let mut lowering = Lowering { compiler, flag, backwards: Vec::new() };
    let start = lowering.condition(condition, Jump::Holds, Jump::Fails, 0)?;
    let mut backwards = lowering.backwards;
    match start {
        Jump::Holds => return Ok(Vec::new()),
        Jump::Fails => {
            let never =
                Pending { test: record(op::NEVER, 0), on_match: Jump::Fails, on_mismatch: Jump::Fails };
            backwards = vec![never];
        }
        // Tests before the start of the program are never reached.
        Jump::ToBack(start) => backwards.truncate(start + 1),
    }
    let last = backwards.len() - 1;
    let target = |jump: Jump| match jump {
        Jump::Holds => JUMP_HOLDS,
        Jump::Fails => JUMP_FAILS,
        Jump::ToBack(number) => (last - number) as u32,
    };
    let forwards = backwards.iter().rev().map(|pending| TestRecord {
        on_match: target(pending.on_match).into(),
        on_mismatch: target(pending.on_mismatch).into(),
        ..pending.test
    });
    Ok(forwards.collect())
}

struct Lowering<'c, 'a> {
    compiler: &'c mut Compiler<'a>,
    flag: &'a str,
    backwards: Vec<Pending>,
}

impl<'a> Lowering<'_, 'a> {
    /// Emits `condition` so that it goes to `holds` or to `fails`, and returns its entry.
    fn condition(
        &mut self,
        condition: &'a Condition,
        holds: Jump,
        fails: Jump,
        depth: usize,
    ) -> Result<Jump, CompileError> {
        if depth > MAX_NESTING {
            return Err(CompileError::Cycle { flag: self.flag.to_owned() });
        }
        match condition {
            Condition::All { all } => {
                all.iter().rev().try_fold(holds, |next, part| self.condition(part, next, fails, depth + 1))
            }
            Condition::Any { any } => {
                any.iter().rev().try_fold(fails, |next, part| self.condition(part, holds, next, depth + 1))
            }
            Condition::Not { not } => self.condition(not, fails, holds, depth + 1),
            Condition::Segment { segment } => match self.compiler.definitions.segments.get(segment) {
                Some(condition) => self.condition(condition, holds, fails, depth + 1),
                None => {
                    Err(CompileError::UnknownSegment { flag: self.flag.to_owned(), missing: segment.clone() })
                }
            },
            Condition::Test { attribute, test } => {
                let test = self.test(attribute, test)?;
                at_most("comparisons of a flag", self.backwards.len() + 1, MAX_TESTS)?;
                self.backwards.push(Pending { test, on_match: holds, on_mismatch: fails });
                Ok(Jump::ToBack(self.backwards.len() - 1))
            }
        }
    }

    fn test(&mut self, attribute: &'a str, test: &'a Test) -> Result<TestRecord, CompileError> {
        let attribute = match attribute {
            "company" => ATTRIBUTE_COMPANY,
            "now" => ATTRIBUTE_NOW,
            name => self.compiler.attribute(name),
        };
        let record = |operation, (operand, a, b): (u8, u64, u64)| TestRecord {
            operand,
            a: a.into(),
            b: b.into(),
            ..record(operation, attribute)
        };
        Ok(match test {
            Test::In(scalars) => record(op::IN, self.set(attribute, scalars)),
            Test::NotIn(scalars) => record(op::NOT_IN, self.set(attribute, scalars)),
            Test::Eq(scalar) => record(op::EQ, self.equal(attribute, scalar)?),
            Test::Ne(scalar) => record(op::NE, self.equal(attribute, scalar)?),
            Test::Lt(scalar) => record(op::LT, self.scalar(scalar)?),
            Test::Lte(scalar) => record(op::LTE, self.scalar(scalar)?),
            Test::Gt(scalar) => record(op::GT, self.scalar(scalar)?),
            Test::Gte(scalar) => record(op::GTE, self.scalar(scalar)?),
            Test::StartsWith(text) => record(op::STARTS_WITH, self.text(text)?),
            Test::EndsWith(text) => record(op::ENDS_WITH, self.text(text)?),
            Test::Contains(text) => record(op::CONTAINS, self.text(text)?),
            Test::Exists(exists) => record(op::EXISTS, (operand::BOOL, u64::from(*exists), 0)),
            Test::Before(time) => record(op::BEFORE, self.time(time)?),
            Test::After(time) => record(op::AFTER, self.time(time)?),
            Test::SemverEq(version) => record(op::SEMVER_EQ, self.version(version)?),
            Test::SemverLt(version) => record(op::SEMVER_LT, self.version(version)?),
            Test::SemverLte(version) => record(op::SEMVER_LTE, self.version(version)?),
            Test::SemverGt(version) => record(op::SEMVER_GT, self.version(version)?),
            Test::SemverGte(version) => record(op::SEMVER_GTE, self.version(version)?),
        })
    }

    fn set(&mut self, attribute: u32, scalars: &'a [Scalar]) -> (u8, u64, u64) {
        let (cells, strings) = (&mut self.compiler.cells, &mut self.compiler.strings);
        let (a, b) = values::add_set(cells, strings, scalars, |text| company_int(attribute, text));
        (operand::SET, a, b)
    }

    fn equal(&mut self, attribute: u32, scalar: &'a Scalar) -> Result<(u8, u64, u64), CompileError> {
        if let Scalar::Text(text) = scalar
            && let Some(int) = company_int(attribute, text)
        {
            return Ok((operand::INT, int as u64, 0));
        }
        self.scalar(scalar)
    }

    fn scalar(&mut self, scalar: &'a Scalar) -> Result<(u8, u64, u64), CompileError> {
        Ok(match scalar {
            Scalar::Bool(bool) => (operand::BOOL, u64::from(*bool), 0),
            Scalar::Int(int) => (operand::INT, *int as u64, 0),
            Scalar::Float(float) => (operand::FLOAT, float.to_bits(), 0),
            Scalar::Text(text) => self.text(text)?,
        })
    }

    fn text(&mut self, text: &'a str) -> Result<(u8, u64, u64), CompileError> {
        at_most("bytes of a string to compare with", text.len(), MAX_OPERAND)?;
        let (offset, length) = self.compiler.strings.add(text);
        Ok((operand::TEXT, u64::from(offset) | u64::from(length) << 32, 0))
    }

    fn time(&self, text: &str) -> Result<(u8, u64, u64), CompileError> {
        match time::parse_rfc3339(text.as_bytes()) {
            Some(micros) => Ok((operand::INT, micros as u64, 0)),
            None => Err(self.operand(text, "an RFC 3339 time with an offset")),
        }
    }

    fn version(&mut self, text: &'a str) -> Result<(u8, u64, u64), CompileError> {
        if semver::is_valid(text.as_bytes()) {
            self.text(text)
        } else {
            Err(self.operand(text, "a version as SemVer 2.0.0 has them"))
        }
    }

    fn operand(&self, found: &str, expected: &'static str) -> CompileError {
        CompileError::Operand { flag: self.flag.to_owned(), found: found.to_owned(), expected }
    }
}

/// The int that a company's id reads as, as in a question and in a list of companies.
fn company_int(attribute: u32, text: &str) -> Option<i64> {
    match CompanyId::from_text(text) {
        Some(CompanyId::Int(int)) if attribute == ATTRIBUTE_COMPANY => Some(int),
        _ => None,
    }
}

fn record(operation: u8, attribute: u32) -> TestRecord {
    TestRecord {
        operation,
        operand: operand::NONE,
        reserved: 0.into(),
        attribute: attribute.into(),
        on_match: 0.into(),
        on_mismatch: 0.into(),
        a: 0.into(),
        b: 0.into(),
    }
}
