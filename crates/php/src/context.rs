//! A PHP array as attributes, read in place; an object that stands for a scalar is read as that scalar.
//!
//! A backed enum's value lies in the object. A time or a text comes from PHP code, which may do anything: move this process
//! to another snapshot, ask a flag itself, throw, or end the request. Therefore the engine never waits for it, and takes such
//! an object for one that cannot be compared. [`Attributes`] notes the object; once the engine has answered, and nothing refers
//! to the module's globals, PHP is asked and the question is put again. A question that reads no object pays one comparison.

use crate::php::Text;
use crate::{call, php, values};
use engine::time;
use engine::{Attribute, Context};
use ext_php_rs::ffi::{
    Bucket, ZEND_ACC_ENUM, ext_php_rs_executor_globals, ext_php_rs_zend_object_release,
    instanceof_function_slow, zend_array_destroy, zend_array_dup, zend_call_known_function,
    zend_ce_stringable, zend_class_entry, zend_empty_array, zend_function, zend_hash_str_find,
    zend_hash_update, zend_object,
};
use ext_php_rs::types::{ZendHashTable, Zval};
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr::{null, null_mut};

const IS_UNDEF: u8 = 0;
const IS_NULL: u8 = 1;
const IS_FALSE: u8 = 2;
const IS_TRUE: u8 = 3;
const IS_LONG: u8 = 4;
const IS_DOUBLE: u8 = 5;
const IS_STRING: u8 = 6;
const IS_ARRAY: u32 = 7;
const IS_OBJECT: u8 = 8;

/// Format for times: seconds since 1970, a point, microseconds.
const TIME_FORMAT: &[u8] = b"U.u";

unsafe extern "C" {
    /// The class entry of `DateTimeInterface`.
    fn php_date_get_interface_ce() -> *mut zend_class_entry;
    fn zend_clear_exception();
    fn zend_is_unwind_exit(exception: *const zend_object) -> bool;
    fn zend_is_graceful_exit(exception: *const zend_object) -> bool;
}

/// The array of a question; `None` is an empty one.
#[derive(Clone, Copy)]
pub(crate) struct PhpContext<'a>(Option<&'a ZendHashTable>);

impl<'a> PhpContext<'a> {
    #[inline(always)]
    pub(crate) fn empty() -> PhpContext<'a> {
        PhpContext(None)
    }

    #[inline(always)]
    pub(crate) fn of(array: &'a ZendHashTable) -> PhpContext<'a> {
        PhpContext(Some(array))
    }

    /// Type of an attribute as it was passed, for a sentence: "an object of App\Plan".
    pub(crate) fn describe(self, name: &str) -> Text {
        let Some(array) = self.0 else { return describe(&Zval::null()) };
        // SAFETY: the array is an argument's, which lives as long as the call.
        let found = unsafe { find(array, name.as_bytes()) };
        // SAFETY: null, or a value of that array.
        match unsafe { found.as_ref() } {
            Some(value) => describe(php::dereferenced(value)),
            None => describe(&Zval::null()),
        }
    }
}

/// Type of a value in a sentence: "an object of App\Plan", "a string".
pub(crate) fn describe(value: &Zval) -> Text {
    let article = match value {
        _ if value.is_object() => "an object of",
        _ if value.is_array() || value.is_long() => "an",
        _ => "a",
    };
    Text::new(format_args!("{article} {}", php::type_name(value)))
}

/// Attributes of a question, as far as PHP was asked for them. Has no `drop`, since it lives across calls into PHP: the
/// owner calls [`free`](Self::free). After a bail-out PHP frees its memory with the request's.
pub(crate) struct Attributes<'a> {
    given: Option<&'a ZendHashTable>,
    /// The array that is read: `given`, or a copy in which values replace objects; null if there is none.
    read: Cell<*const ZendHashTable>,
    /// The entry with an object that PHP has to be asked for; null if none was met.
    met: Cell<*mut Bucket>,
}

impl<'a> Attributes<'a> {
    #[inline(always)]
    pub(crate) fn of(context: PhpContext<'a>) -> Attributes<'a> {
        let read = context.0.map_or(null(), |given| &raw const *given);
        Attributes { given: context.0, read: Cell::new(read), met: Cell::new(null_mut()) }
    }

    /// True if there are any.
    #[inline(always)]
    pub(crate) fn any(&self) -> bool {
        self.given.is_some()
    }

    /// True if an object was met that PHP has to be asked for: the answer is not final yet.
    #[inline(always)]
    pub(crate) fn unsettled(&self) -> bool {
        !self.met.get().is_null()
    }

    /// Asks PHP for the value of the object that was met.
    ///
    /// Runs PHP code. The caller holds nothing that needs dropping, and no reference to the module's globals or a snapshot.
    #[cold]
    #[inline(never)]
    pub(crate) fn settle(&self) {
        let met = self.met.replace(null_mut());
        // SAFETY: null, or an entry that the last lookup found: no PHP code ran since, and so the array is as it was.
        let (Some(entry), Some(given)) = (unsafe { met.as_ref() }, self.given) else { return };
        let key = entry.key;
        let value = php::dereferenced(&entry.val);
        if call::kind(value) != IS_OBJECT {
            return;
        }
        // SAFETY: the type says that the value is an object.
        let object = unsafe { value.value.obj };
        if !self.has_copy() {
            // SAFETY: the array is an argument's; copying only reads it, and the binding merely lacks a `const`.
            self.read.set(unsafe { zend_array_dup((&raw const *given).cast_mut()) });
        }
        let mut answer = ask(object);
        // SAFETY: a live array with no other reference, a key that lives in `given` as well as in it, and a value whose ownership
        // passes to the array. The key is present, so no other entry moves.
        unsafe { zend_hash_update(self.read.get().cast_mut(), key, &raw mut *answer) };
    }

    /// Frees what [`settle`](Self::settle) made.
    #[inline(always)]
    pub(crate) fn free(self) {
        if self.has_copy() {
            // SAFETY: made by `settle`, referred to by nothing else, and `self` is gone after this.
            unsafe { zend_array_destroy(self.read.get().cast_mut()) };
        }
    }

    #[inline(always)]
    fn has_copy(&self) -> bool {
        !std::ptr::eq(self.read.get(), self.given.map_or(null(), |given| &raw const *given))
    }

    #[cold]
    #[inline(never)]
    fn of_no_scalar<'v>(&self, slot: *mut Zval, value: &'v Zval) -> Attribute<'v> {
        let value = php::dereferenced(value);
        if let Some(scalar) = scalar(value) {
            return scalar;
        }
        match call::kind(value) {
            IS_UNDEF | IS_NULL => return Attribute::Missing,
            IS_OBJECT => {}
            _ => return Attribute::Incomparable,
        }
        // SAFETY: the type says that the value is an object.
        let object = unsafe { value.value.obj };
        // SAFETY: an object of a live array is live.
        let class = unsafe { (*object).ce };
        // SAFETY: an object's class is live.
        let flags = unsafe { (*class).ce_flags };
        if flags & ZEND_ACC_ENUM != 0 {
            // SAFETY: a live object whose class says that it is an enum's case.
            return unsafe { case_value(object) };
        }
        if is_time(class) || is_text(class) {
            self.met.set(slot.cast());
        }
        Attribute::Incomparable
    }
}

impl Context for Attributes<'_> {
    fn attribute(&self, name: &[u8], _: u64) -> Attribute<'_> {
        let array = self.read.get();
        if array.is_null() {
            return Attribute::Missing;
        }
        // SAFETY: a live array: an argument's, or the copy that `settle` made.
        let found = unsafe { find(array, name) };
        // SAFETY: null, or a value of the array, which lives as long as the array.
        match unsafe { found.as_ref() } {
            Some(value) => scalar(value).unwrap_or_else(|| self.of_no_scalar(found, value)),
            None => Attribute::Missing,
        }
    }
}

/// Reads a scalar in place.
#[inline(always)]
fn scalar(value: &Zval) -> Option<Attribute<'_>> {
    match call::kind(value) {
        IS_STRING => {
            // SAFETY: the type says that the value is a string.
            let string = unsafe { value.value.str_ };
            // SAFETY: the string of a live value is live.
            Some(Attribute::Text(unsafe { php::bytes(string) }))
        }
        // SAFETY: the type says that the value is an int.
        IS_LONG => Some(Attribute::Int(unsafe { value.value.lval })),
        // SAFETY: the type says that the value is a float.
        IS_DOUBLE => Some(Attribute::Float(unsafe { value.value.dval })),
        IS_FALSE => Some(Attribute::Bool(false)),
        IS_TRUE => Some(Attribute::Bool(true)),
        _ => None,
    }
}

/// Returns the entry of that name, or null.
///
/// # Safety
///
/// `array` must be a live array.
unsafe fn find(array: *const ZendHashTable, name: &[u8]) -> *mut Zval {
    // SAFETY: the caller's promise, and a name of that length; PHP does not change the array to look into it.
    unsafe { zend_hash_str_find(array, name.as_ptr().cast(), name.len()) }
}

/// Returns the value of an enum's case, which is the second property of every backed one.
///
/// # Safety
///
/// `case` must be a live object of an enum.
unsafe fn case_value<'a>(case: *mut zend_object) -> Attribute<'a> {
    // SAFETY: the caller's promise.
    let class = unsafe { (*case).ce };
    // SAFETY: an object's class is live.
    if unsafe { (*class).enum_backing_type } == u32::from(IS_UNDEF) {
        return Attribute::Incomparable;
    }
    // SAFETY: as above.
    let first: *const Zval = unsafe { (&raw const (*case).properties_table).cast() };
    // SAFETY: a backed enum's case has two properties, its name and its value.
    let second = unsafe { first.add(1) };
    // SAFETY: a property of a live object, which the array of the question keeps.
    scalar(unsafe { &*second }).unwrap_or(Attribute::Incomparable)
}

/// True if objects of the class are times.
fn is_time(class: *const zend_class_entry) -> bool {
    // SAFETY: returns what the date module, which every PHP has, set when it started.
    is_a(class, unsafe { php_date_get_interface_ce() })
}

/// True if objects of the class are texts: `Stringable` and without `toArray()`, since a model's text is its JSON.
fn is_text(class: *const zend_class_entry) -> bool {
    // SAFETY: PHP sets it before any module starts and never changes it.
    if !is_a(class, unsafe { zend_ce_stringable }) {
        return false;
    }
    // SAFETY: an object's class is live.
    if unsafe { (*class).__tostring }.is_null() {
        return false;
    }
    // SAFETY: as above. A private method counts, as in `method_exists()`.
    unsafe { method(class, b"toarray") }.is_null()
}

fn is_a(class: *const zend_class_entry, other: *const zend_class_entry) -> bool {
    // SAFETY: two live classes.
    std::ptr::eq(class, other) || unsafe { instanceof_function_slow(class, other) }
}

/// Returns a method of the class, by its name in lower case; null if it has none.
///
/// # Safety
///
/// `class` must be a live class.
unsafe fn method(class: *const zend_class_entry, name: &[u8]) -> *mut zend_function {
    // SAFETY: the caller's promise.
    let methods = unsafe { &raw const (*class).function_table };
    // SAFETY: the table of a live class.
    let found = unsafe { find(methods, name) };
    if found.is_null() {
        return null_mut();
    }
    // SAFETY: a value of that table.
    let value = unsafe { (*found).value };
    // SAFETY: the values of a table of functions are pointers to them.
    unsafe { value.ptr }.cast()
}

/// Asks PHP for the object's value: a string, or an empty array if it cannot be compared.
fn ask(object: *mut zend_object) -> ManuallyDrop<Zval> {
    // SAFETY: a live object; PHP code may drop every other reference to it.
    unsafe { (*object).gc.refcount += 1 };
    // SAFETY: an object's class is live.
    let class = unsafe { (*object).ce };
    let answer = if is_time(class) {
        // SAFETY: the class is live.
        let format = unsafe { method(class, b"format") };
        // SAFETY: a method of the object's class, required by its interface.
        let mut said = unsafe { run(format, object, Some(TIME_FORMAT)) };
        let time = rfc3339(&said);
        // SAFETY: a value that `run` made and that is not used after this.
        unsafe { ManuallyDrop::drop(&mut said) };
        time.map_or_else(incomparable, |text| ManuallyDrop::new(values::string(&text)))
    } else {
        // SAFETY: the class is live; `is_text` saw that it has the method.
        let to_string = unsafe { (*class).__tostring };
        // SAFETY: a method of the object's class.
        let said = unsafe { run(to_string, object, None) };
        // The method returns a string, or nothing if it threw.
        if said.is_string() { said } else { incomparable() }
    };
    // SAFETY: takes back the count from above.
    unsafe { ext_php_rs_zend_object_release(object) };
    answer
}

/// Calls a method. Its exception is dropped, unless that is the script's end: then the result stays undefined, and PHP
/// goes on with the end once the function returns.
///
/// # Safety
///
/// `function` must be a method of the live object's class.
unsafe fn run(
    function: *mut zend_function,
    object: *mut zend_object,
    argument: Option<&[u8]>,
) -> ManuallyDrop<Zval> {
    let mut said = ManuallyDrop::new(Zval::new());
    let mut given = ManuallyDrop::new(argument.map_or_else(Zval::null, values::string));
    // SAFETY: an object's class is live.
    let class = unsafe { (*object).ce };
    let count = u32::from(argument.is_some());
    // SAFETY: the caller's promise; `given` holds as many arguments, and nothing here needs dropping if PHP does not return.
    unsafe {
        zend_call_known_function(function, object, class, &raw mut *said, count, &raw mut *given, null_mut());
    };
    // SAFETY: made above, and not used after this.
    unsafe { ManuallyDrop::drop(&mut given) };
    // SAFETY: only finds where this thread's globals are.
    let globals = unsafe { ext_php_rs_executor_globals() };
    // SAFETY: PHP's globals of this thread, which are there as long as any request is.
    let exception = unsafe { (*globals).exception };
    if !exception.is_null() && !ends_script(exception) {
        // SAFETY: there is an exception, and this function's caller is what would have caught it.
        unsafe { zend_clear_exception() };
    }
    said
}

/// True if the exception is `exit()`, which no code catches.
fn ends_script(exception: *const zend_object) -> bool {
    // SAFETY: a live object that was thrown.
    let exits = unsafe { zend_is_unwind_exit(exception) };
    // SAFETY: as above.
    exits || unsafe { zend_is_graceful_exit(exception) }
}

/// Returns PHP's shared array without entries.
fn incomparable() -> ManuallyDrop<Zval> {
    let mut value = ManuallyDrop::new(Zval::new());
    value.value.arr = (&raw const zend_empty_array).cast_mut();
    value.u1.type_info = IS_ARRAY;
    value
}

/// Converts the output of [`TIME_FORMAT`] to RFC 3339.
fn rfc3339(said: &Zval) -> Option<[u8; 27]> {
    let text = std::str::from_utf8(said.zend_str()?.as_bytes()).ok()?;
    let (seconds, fraction) = text.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(seconds.strip_prefix('-').unwrap_or(seconds)) || fraction.len() != 6 || !is_number(fraction)
    {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let micros: i64 = fraction.parse().ok()?;
    time::rfc3339_micros(seconds.checked_mul(time::SECOND)?.checked_add(micros)?)
}
