--TEST--
the extension loads; this test fails, rather than skips, where it does not
--FILE--
<?php
if (!extension_loaded('flagstone')) {
    echo "flagstone is not loaded\n";
}
foreach (['feature_enabled', 'feature_possible', 'feature_variant', 'feature_value', 'feature_explain', 'feature_all',
    'feature_filter', 'feature_needs', 'flagstone_status', 'flagstone_refresh', 'flagstone_use', 'flagstone_override'] as $function) {
    if (!function_exists($function)) {
        echo "$function is missing\n";
    }
}
echo "done\n";
--EXPECT--
done
