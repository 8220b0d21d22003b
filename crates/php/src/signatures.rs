//! Signatures of the functions for reflection; `php-stubs/flagstone.stub.php` has the same for people.

use crate::functions as f;
use ext_php_rs::args::Arg;
use ext_php_rs::builders::FunctionBuilder;
use ext_php_rs::flags::DataType;
use ext_php_rs::zend::ModuleAllocations;
use std::ffi::CStr;

pub(crate) fn functions() -> Vec<FunctionBuilder<'static>> {
    let flag = || Arg::new("flag", DataType::String);
    // `give_unions` makes it `int|string|null`.
    let company = || Arg::new("company", DataType::Long).allow_null().default("null");
    let context = || Arg::new("context", DataType::Array).default("[]");
    vec![
        FunctionBuilder::new("feature_enabled", f::feature_enabled)
            .arg(flag())
            .arg(company())
            .arg(context())
            .required_args(1)
            .returns(DataType::Bool, false, false),
        FunctionBuilder::new("feature_peek", f::feature_peek)
            .arg(flag())
            .arg(company())
            .arg(context())
            .required_args(1)
            .returns(DataType::Bool, false, false),
        FunctionBuilder::new("feature_possible", f::feature_possible).arg(flag()).returns(
            DataType::Bool,
            false,
            false,
        ),
        FunctionBuilder::new("feature_variant", f::feature_variant)
            .arg(flag())
            .arg(company())
            .arg(context())
            .required_args(1)
            .returns(DataType::String, false, true),
        FunctionBuilder::new("feature_value", f::feature_value)
            .arg(flag())
            .arg(company())
            .arg(context())
            .arg(Arg::new("default", DataType::Mixed).default("null"))
            .required_args(1)
            .returns(DataType::Mixed, false, false),
        FunctionBuilder::new("feature_explain", f::feature_explain)
            .arg(flag())
            .arg(company())
            .arg(context())
            .required_args(1)
            .returns(DataType::Array, false, false),
        FunctionBuilder::new("feature_all", f::feature_all)
            .arg(company())
            .arg(context())
            .required_args(0)
            .returns(DataType::Array, false, false),
        FunctionBuilder::new("feature_filter", f::feature_filter)
            .arg(flag())
            .arg(Arg::new("companies", DataType::Array))
            .arg(context())
            .required_args(2)
            .returns(DataType::Array, false, false),
        FunctionBuilder::new("feature_needs", f::feature_needs).arg(flag()).returns(
            DataType::Array,
            false,
            false,
        ),
        FunctionBuilder::new("feature_track", f::feature_track)
            .arg(Arg::new("event", DataType::String))
            .arg(Arg::new("value", DataType::Double).default("1.0"))
            .required_args(1)
            .returns(DataType::Void, false, false),
        FunctionBuilder::new("flagstone_status", f::flagstone_status).returns(DataType::Array, false, false),
        FunctionBuilder::new("flagstone_refresh", f::flagstone_refresh).returns(DataType::Bool, false, false),
        FunctionBuilder::new("flagstone_use", f::flagstone_use)
            .arg(Arg::new("store", DataType::String))
            .returns(DataType::Bool, false, false),
        FunctionBuilder::new("flagstone_request_begin", f::flagstone_request_begin).returns(
            DataType::Long,
            false,
            false,
        ),
        FunctionBuilder::new("flagstone_request_end", f::flagstone_request_end)
            .arg(Arg::new("status", DataType::Long).default("0"))
            .arg(Arg::new("token", DataType::Long).allow_null().default("null"))
            .required_args(0)
            .returns(DataType::Void, false, false),
        FunctionBuilder::new("flagstone_gated", f::flagstone_gated).arg(flag()).returns(
            DataType::Void,
            false,
            false,
        ),
        FunctionBuilder::new("flagstone_override", f::flagstone_override)
            .arg(Arg::new("answers", DataType::Array).allow_null())
            .arg(Arg::new("otherwise", DataType::Bool).allow_null().default("null"))
            .required_args(1)
            .returns(DataType::Void, false, false),
        #[cfg(feature = "test-hooks")]
        FunctionBuilder::new("flagstone_test_empty", f::flagstone_test_empty)
            .arg(Arg::new("a", DataType::Mixed))
            .arg(Arg::new("b", DataType::Mixed))
            .returns(DataType::Bool, false, false),
        #[cfg(feature = "test-hooks")]
        FunctionBuilder::new("flagstone_test_panic", f::flagstone_test_panic).returns(
            DataType::Bool,
            false,
            false,
        ),
    ]
}

/// Makes each `$company` an `int|string|null`, which the builder cannot express.
pub(crate) fn give_unions(module: &mut ModuleAllocations) {
    const NULL_LONG_STRING: u32 = 1 << 1 | 1 << 4 | 1 << 6;
    /// The bits of a type mask that name types; above them are by-reference and variadic.
    const TYPES: u32 = (1 << 18) - 1;
    for arguments in &mut module.arg_info {
        // The first entry is the function's own: its name field is a count.
        for argument in arguments.iter_mut().skip(1) {
            // SAFETY: every argument's name was made by the builder, ends with NUL and lives as long as the module.
            if unsafe { CStr::from_ptr(argument.name) } == c"company" {
                argument.type_.type_mask = argument.type_.type_mask & !TYPES | NULL_LONG_STRING;
            }
        }
    }
}
