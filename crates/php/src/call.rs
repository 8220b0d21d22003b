//! Arguments of a function call. Exact types are taken as they are; everything else goes through PHP's own parameter
//! parsing, so that coercion, `strict_types` and the texts of errors are PHP's.

use crate::context::PhpContext;
use crate::php;
use engine::Key;
use ext_php_rs::ffi::{zend_execute_data, zend_string};
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::ExecuteData;
use std::ffi::CStr;
use std::ptr::null_mut;

const IS_NULL: u8 = 1;
const IS_LONG: u8 = 4;
const IS_STRING: u8 = 6;
const IS_ARRAY: u8 = 7;
const IS_REFERENCE: u8 = 10;

/// Offset of a call frame's arguments, in values (`ZEND_CALL_FRAME_SLOT`).
const FRAME_SLOTS: usize = size_of::<zend_execute_data>().div_ceil(size_of::<Zval>());

/// The arguments of a question: `(string $flag, int|string|null $company = null, array $context = [])`.
pub(crate) struct Question<'a> {
    pub(crate) flag: &'a [u8],
    /// The flag's hash, as PHP caches it.
    pub(crate) hash: u64,
    pub(crate) company: Option<Key<'a>>,
    pub(crate) context: PhpContext<'a>,
}

#[inline(always)]
pub(crate) fn count(frame: &ExecuteData) -> u32 {
    // SAFETY: in a call frame the second word of `This` holds the number of arguments.
    unsafe { frame.This.u2.num_args }
}

/// Returns the argument of that number, from 0. The frame must have it.
///
/// # Safety
///
/// `number` must be below [`count`].
#[inline(always)]
pub(crate) unsafe fn argument(frame: &ExecuteData, number: usize) -> &Zval {
    let first: *const Zval = (&raw const *frame).cast();
    // SAFETY: arguments follow the frame, which takes FRAME_SLOTS values; the caller promises that there are enough.
    let argument = unsafe { first.add(FRAME_SLOTS + number) };
    // SAFETY: an argument is a live value for as long as its frame.
    unsafe { &*argument }
}

/// Returns the place of the argument of that number, for PHP to convert it there: behind the frame, where no reference reaches it.
///
/// # Safety
///
/// `number` must be below [`count`].
unsafe fn place(frame: &ExecuteData, number: usize) -> *mut Zval {
    let first: *const Zval = (&raw const *frame).cast();
    // SAFETY: as in `argument`.
    unsafe { first.add(FRAME_SLOTS + number) }.cast_mut()
}

#[inline(always)]
pub(crate) fn kind(value: &Zval) -> u8 {
    // SAFETY: every bit pattern of the union is a valid u32; its low byte is the type.
    unsafe { value.u1.type_info as u8 }
}

/// Returns the string's hash, computed if PHP has not yet.
///
/// # Safety
///
/// `string` must be a live zend_string.
#[inline(always)]
unsafe fn hash(string: *mut zend_string) -> u64 {
    // SAFETY: the caller's promise.
    let known = unsafe { (*string).h };
    if known != 0 {
        return known;
    }
    // SAFETY: as above.
    unsafe { php::zend_string_hash_func(string) }
}

/// Returns hash and bytes of the flag, and the int, for the usual call: exactly these arguments, and the flag hashed by PHP.
#[inline(always)]
pub(crate) fn flag_and_int(frame: &ExecuteData) -> Option<(u64, &[u8], i64)> {
    if count(frame) != 2 {
        return None;
    }
    // SAFETY: there are two arguments.
    let flag = unsafe { argument(frame, 0) };
    // SAFETY: as above.
    let company = unsafe { argument(frame, 1) };
    if kind(flag) != IS_STRING || kind(company) != IS_LONG {
        return None;
    }
    // SAFETY: the type says that the value is a string.
    let string = unsafe { flag.value.str_ };
    // SAFETY: the type says that the value is an int.
    let company = unsafe { company.value.lval };
    // SAFETY: a string argument lives as long as its frame.
    let hash = unsafe { (*string).h };
    // SAFETY: as above.
    (hash != 0).then(|| (hash, unsafe { php::bytes(string) }, company))
}

/// Reads the question if every argument has exactly the expected type.
#[inline(always)]
pub(crate) fn exact(frame: &ExecuteData) -> Option<Question<'_>> {
    let count = count(frame);
    if !(1..=3).contains(&count) {
        return None;
    }
    // SAFETY: there is at least one argument.
    let flag = unsafe { argument(frame, 0) };
    if kind(flag) != IS_STRING {
        return None;
    }
    // SAFETY: the type says that the value is a string.
    let string = unsafe { flag.value.str_ };
    let mut question = Question {
        // SAFETY: a string argument lives as long as its frame.
        flag: unsafe { php::bytes(string) },
        // SAFETY: as above.
        hash: unsafe { hash(string) },
        company: None,
        context: PhpContext::empty(),
    };
    if count >= 2 {
        // SAFETY: there are at least two arguments.
        let company = unsafe { argument(frame, 1) };
        question.company = match kind(company) {
            // SAFETY: the type says that the value is an int.
            IS_LONG => Some(Key::Int(unsafe { company.value.lval })),
            IS_STRING => {
                // SAFETY: the type says that the value is a string.
                let string = unsafe { company.value.str_ };
                // SAFETY: a string argument lives as long as its frame.
                Key::from_bytes(unsafe { php::bytes(string) })
            }
            IS_NULL => None,
            _ => return None,
        };
    }
    if count == 3 {
        // SAFETY: there are three arguments.
        let context = unsafe { argument(frame, 2) };
        if kind(context) != IS_ARRAY {
            return None;
        }
        question.context = PhpContext::of(context.array()?);
    }
    Some(question)
}

/// Parameters of a function: the spec for PHP's parser, and the places of company and context.
pub(crate) struct Shape {
    spec: &'static CStr,
    /// Index of the company, from 0; `None` without a company.
    company: Option<usize>,
    /// Index of the context.
    context: Option<usize>,
    most: usize,
}

pub(crate) const QUESTION: Shape = Shape { spec: c"S|zh", company: Some(1), context: Some(2), most: 3 };
pub(crate) const QUESTION_DEFAULT: Shape =
    Shape { spec: c"S|zhz", company: Some(1), context: Some(2), most: 4 };
pub(crate) const FLAG: Shape = Shape { spec: c"S", company: None, context: None, most: 1 };

/// Reads the question as PHP parses parameters. `None`: PHP has thrown.
#[cold]
#[inline(never)]
pub(crate) fn parse<'a>(frame: &'a ExecuteData, shape: &Shape) -> Option<Question<'a>> {
    let mut string: *mut zend_string = null_mut();
    let (mut second, mut third, mut fourth): (*mut Zval, *mut ZendHashTable, *mut Zval) =
        (null_mut(), null_mut(), null_mut());
    // SAFETY: the spec takes at most these pointers, in this order and of these types; PHP reads no more than it names.
    let parsed = unsafe {
        php::zend_parse_parameters(
            count(frame),
            shape.spec.as_ptr(),
            &raw mut string,
            &raw mut second,
            &raw mut third,
            &raw mut fourth,
        )
    };
    if parsed != 0 || string.is_null() {
        return None;
    }
    let given = (count(frame) as usize).min(shape.most);
    let company = match shape.company {
        Some(at) if at < given => {
            // SAFETY: there are `given` arguments.
            let place = unsafe { place(frame, at) };
            // SAFETY: an argument lives as long as its frame, and is its function's to change.
            unsafe { company(place, at as u32 + 1) }?
        }
        _ => None,
    };
    let context = match shape.context {
        Some(at) if at < given && !third.is_null() => {
            // SAFETY: PHP set it to the array of an argument, which lives as long as the frame.
            PhpContext::of(unsafe { &*third })
        }
        _ => PhpContext::empty(),
    };
    Some(Question {
        // SAFETY: PHP set it to the string of an argument, converted in place where it was none.
        flag: unsafe { php::bytes(string) },
        // SAFETY: as above.
        hash: unsafe { hash(string) },
        company,
        context,
    })
}

/// 2^53 - 1. From the next int on, one float stands for several ints, and so for several companies.
const LARGEST_EXACT_FLOAT: f64 = 9_007_199_254_740_991.0;

/// Reads a company as PHP takes `string|int|null`, but refuses objects, bools and floats that are no int. `None`: PHP has thrown.
///
/// # Safety
///
/// `place` must point to a live value that is the caller's to change, and to which there is no reference: PHP converts it
/// in place. It must live, and stay as it is, for as long as the key.
pub(crate) unsafe fn company<'a>(place: *mut Zval, number: u32) -> Option<Option<Key<'a>>> {
    // SAFETY: the caller's promise; the reference is gone before PHP changes the value.
    let value = php::dereferenced(unsafe { &*place });
    if value.is_null() {
        return Some(None);
    }
    if value.is_object() {
        return refuse(
            number,
            value,
            c"must be of type string|int|null, %s given; pass its key, such as $company->getKey()",
        );
    }
    // PHP would cut 42.5 to 42, another company. PHP itself converts 42.0.
    let is_no_int = |float: f64| float.fract() != 0.0 || float.abs() > LARGEST_EXACT_FLOAT;
    if value.is_bool() || value.double().is_some_and(is_no_int) {
        return refuse(number, value, c"must be of type string|int|null, %s given");
    }
    if value.is_string() {
        // SAFETY: the type says that the value is a string.
        let string = unsafe { value.value.str_ };
        // SAFETY: the string is the value's, which lives as long as the key.
        return Some(Key::from_bytes(unsafe { php::bytes(string) }));
    }
    if value.is_long() {
        // SAFETY: the type says that the value is an int.
        return Some(Some(Key::Int(unsafe { value.value.lval })));
    }
    let (mut string, mut long): (*mut zend_string, i64) = (null_mut(), 0);
    // SAFETY: the caller's promise.
    let place = unsafe { behind_reference(place) };
    // SAFETY: a live value that nothing else refers to; PHP fills one of the two.
    let taken =
        unsafe { php::zend_parse_arg_str_or_long_slow(place, &raw mut string, &raw mut long, number) };
    if !taken {
        // SAFETY: the caller's promise; PHP has left the value as it was.
        return refuse(number, unsafe { &*place }, c"must be of type string|int|null, %s given");
    }
    if string.is_null() {
        return Some(Some(Key::Int(long)));
    }
    // SAFETY: the string is the value's, converted in place, which lives as long as the key.
    Some(Key::from_bytes(unsafe { php::bytes(string) }))
}

/// Returns the place of the value behind a reference, or of the value itself.
///
/// # Safety
///
/// `place` must point to a live value.
unsafe fn behind_reference(place: *mut Zval) -> *mut Zval {
    // SAFETY: the caller's promise.
    let value = unsafe { &*place };
    if kind(value) != IS_REFERENCE {
        return place;
    }
    // SAFETY: the type says that the value is a reference.
    let reference = unsafe { value.value.ref_ };
    // SAFETY: a reference lives as long as the value that holds it.
    unsafe { &raw mut (*reference).val }
}

/// Throws a `TypeError` unless PHP already threw. May not come back.
#[cold]
#[inline(never)]
pub(crate) fn refuse<T>(number: u32, value: &Zval, text: &CStr) -> Option<T> {
    let name = php::type_name(value);
    // SAFETY: the text has one `%s`, and the name ends with NUL.
    unsafe { php::zend_argument_type_error(number, text.as_ptr(), name.as_ptr()) };
    None
}

/// Reads `(int|string|null $company = null, array $context = [])`. `None`: PHP has thrown.
pub(crate) fn parse_all(frame: &ExecuteData) -> Option<Question<'_>> {
    let (mut first, mut array): (*mut Zval, *mut ZendHashTable) = (null_mut(), null_mut());
    // SAFETY: the spec takes these two pointers, in this order and of these types.
    let parsed =
        unsafe { php::zend_parse_parameters(count(frame), c"|zh".as_ptr(), &raw mut first, &raw mut array) };
    if parsed != 0 {
        return None;
    }
    let company = match count(frame) {
        0 => None,
        _ => {
            // SAFETY: there is at least one argument.
            let place = unsafe { place(frame, 0) };
            // SAFETY: an argument lives as long as its frame, and is its function's to change.
            unsafe { company(place, 1) }?
        }
    };
    // SAFETY: null, or the array of an argument, which lives as long as the frame.
    let context = unsafe { array.as_ref() }.map_or(PhpContext::empty(), PhpContext::of);
    Some(Question { flag: b"", hash: 0, company, context })
}

/// Reads `(string $flag, array $companies, array $context = [])`. `None`: PHP has thrown.
pub(crate) fn parse_filter(frame: &ExecuteData) -> Option<(Question<'_>, &ZendHashTable)> {
    let mut string: *mut zend_string = null_mut();
    let (mut companies, mut array): (*mut ZendHashTable, *mut ZendHashTable) = (null_mut(), null_mut());
    // SAFETY: the spec takes these three pointers, in this order and of these types.
    let parsed = unsafe {
        php::zend_parse_parameters(
            count(frame),
            c"Sh|h".as_ptr(),
            &raw mut string,
            &raw mut companies,
            &raw mut array,
        )
    };
    if parsed != 0 {
        return None;
    }
    // SAFETY: null, or the array of an argument, which lives as long as the frame.
    let companies = unsafe { companies.as_ref() }?;
    // SAFETY: as above.
    let context = unsafe { array.as_ref() }.map_or(PhpContext::empty(), PhpContext::of);
    // SAFETY: PHP set it to the string of an argument.
    let flag = unsafe { php::bytes(string) };
    // SAFETY: as above.
    let hash = unsafe { hash(string) };
    Some((Question { flag, hash, company: None, context }, companies))
}

/// Reads `(?array $answers, ?bool $otherwise = null)`. `None`: PHP has thrown.
pub(crate) fn parse_override(frame: &ExecuteData) -> Option<(Option<&ZendHashTable>, Option<bool>)> {
    let mut answers: *mut ZendHashTable = null_mut();
    let (mut otherwise, mut otherwise_null) = (false, true);
    // SAFETY: the spec takes these three pointers, in this order and of these types.
    let parsed = unsafe {
        php::zend_parse_parameters(
            count(frame),
            c"h!|b!".as_ptr(),
            &raw mut answers,
            &raw mut otherwise,
            &raw mut otherwise_null,
        )
    };
    if parsed != 0 {
        return None;
    }
    // SAFETY: null, or the array of an argument, which lives as long as the frame.
    Some((unsafe { answers.as_ref() }, (!otherwise_null).then_some(otherwise)))
}

/// Reads `(string $event, float $value = 1.0)`. `None`: PHP has thrown.
pub(crate) fn parse_event(frame: &ExecuteData) -> Option<(&[u8], f64)> {
    let (mut string, mut value): (*mut zend_string, f64) = (null_mut(), 1.0);
    // SAFETY: the spec takes these two pointers, in this order, to a string and to PHP's float type.
    let parsed =
        unsafe { php::zend_parse_parameters(count(frame), c"S|d".as_ptr(), &raw mut string, &raw mut value) };
    if parsed != 0 || string.is_null() {
        return None;
    }
    // SAFETY: PHP set it to the string of an argument, which lives as long as the frame.
    Some((unsafe { php::bytes(string) }, value))
}

/// Reads `(int $status = 0, ?int $token = null)`. `None`: PHP has thrown.
pub(crate) fn parse_end(frame: &ExecuteData) -> Option<(i64, Option<i64>)> {
    let (mut status, mut token, mut is_null) = (0_i64, 0_i64, true);
    // SAFETY: the spec takes these three pointers, in this order, to PHP's ints and to a bool.
    let parsed = unsafe {
        let spec = c"|ll!".as_ptr();
        php::zend_parse_parameters(count(frame), spec, &raw mut status, &raw mut token, &raw mut is_null)
    };
    (parsed == 0).then_some((status, (!is_null).then_some(token)))
}

/// Identifies this call among those that are not over, by the caller's frame and its position in it.
pub(crate) fn place_of(frame: &ExecuteData) -> u64 {
    let caller = frame.prev_execute_data;
    // SAFETY: null, or the frame of the caller, which lives as long as this one.
    let line = unsafe { caller.as_ref() }.map_or(0, |caller| caller.opline as u64);
    (caller as u64) ^ line.rotate_left(32)
}

/// Reads no arguments. `None`: PHP has thrown.
pub(crate) fn parse_none(frame: &ExecuteData) -> Option<()> {
    // SAFETY: the empty spec takes no pointers.
    let parsed = unsafe { php::zend_parse_parameters(count(frame), c"".as_ptr()) };
    (parsed == 0).then_some(())
}
