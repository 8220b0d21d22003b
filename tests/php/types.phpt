--TEST--
arguments behave as those of PHP's own functions do
--FILE--
<?php
require __DIR__ . '/support.inc';

flagstone_use(store(['42' => true, 'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]]]));

same('an int flag', true, feature_enabled(42));
same('a float company', true, feature_enabled('pilot', 15.0));
same('a Stringable flag', true, feature_enabled(new class { function __toString() { return 'pilot'; } }, 15));
same('null company', false, feature_enabled('pilot', null));

foreach ([
    'feature_enabled() expects at least 1 argument, 0 given' => fn () => feature_enabled(),
    'feature_enabled() expects at most 3 arguments, 4 given' => fn () => feature_enabled('a', 1, [], 2),
    'feature_enabled(): Argument #1 ($flag) must be of type string, array given' => fn () => feature_enabled([]),
    'feature_enabled(): Argument #2 ($company) must be of type string|int|null, array given' => fn () => feature_enabled('a', []),
    'feature_enabled(): Argument #3 ($context) must be of type array, string given' => fn () => feature_enabled('a', 1, 'x'),
    'feature_enabled(): Argument #2 ($company) must be of type string|int|null, bool given' => fn () => feature_enabled('a', true),
    'feature_enabled(): Argument #2 ($company) must be of type string|int|null, stdClass given; pass its key, such as $company->getKey()'
        => fn () => feature_enabled('a', new stdClass),
    'feature_filter(): Argument #2 ($companies) must be of type array, int given' => fn () => feature_filter('a', 1),
    'flagstone_status() expects exactly 0 arguments, 1 given' => fn () => flagstone_status(1),
] as $message => $call) {
    $error = str_contains($message, 'expects') ? 'ArgumentCountError' : 'TypeError';
    same($message, "$error: $message", thrown($call));
}

// An Eloquent model's __toString() is its JSON: it must never become a bucket's key.
$model = new class { function __toString() { return '{"id":15}'; } };
foreach (['feature_enabled', 'feature_variant', 'feature_value', 'feature_explain'] as $function) {
    same($function, true, str_starts_with(thrown(fn () => $function('pilot', $model)), 'TypeError'));
}
same('feature_all', true, str_starts_with(thrown(fn () => feature_all($model)), 'TypeError'));

// PHP cuts a float with a fraction to an int, with a deprecation: 15.5 would get what company 15 gets. From 2^53 on one float stands for several
// ints: an id that JSON or a sum made a float of would get what its neighbour gets.
foreach ([15.5, 1.5, NAN, INF, -INF, 1e19, -1e19, 1e18, 2.0 ** 53, -(2.0 ** 53), 9007199254740993.0] as $float) {
    foreach (['feature_enabled', 'feature_peek', 'feature_variant', 'feature_value', 'feature_explain'] as $function) {
        same("$function for $float", "TypeError: $function(): Argument #2 (\$company) must be of type string|int|null, float given", thrown(fn () => $function('pilot', $float)));
    }
    same("feature_filter for $float", 'TypeError: feature_filter(): Argument #2 ($companies) must be of type string|int|null, float given', thrown(fn () => feature_filter('pilot', [15, $float])));
    same("feature_all for $float", 'TypeError: feature_all(): Argument #1 ($company) must be of type string|int|null, float given', thrown(fn () => feature_all($float)));
}
same('floats that are ints', [true, false, 15, -0, 2 ** 53 - 1, 1 - 2 ** 53], [feature_enabled('pilot', 15.0), feature_enabled('pilot', 1e15),
    ...array_map(fn ($float) => feature_explain('pilot', $float)['company'], [15.0, -0.0, 9007199254740991.0, -9007199254740991.0])]);

// A null flag is deprecated. The handler asks, and moves what the question stands on.
$handled = 0;
set_error_handler(function () use (&$handled) {
    $handled++;
    flagstone_override(['pilot' => (bool) ($handled % 2)]);
    @feature_enabled('pilot', 1);
    flagstone_refresh();
    flagstone_override(null);

    return true;
});
same('a handler that asks', [false, null, 'unknown_flag'],
    [feature_enabled(null, 15), feature_variant(null, 15), feature_explain(null, 1)['reason']]);
same('handled', 3, $handled);
set_error_handler(fn ($number, $message) => throw new ErrorException($message));
foreach (['feature_enabled', 'feature_variant', 'feature_value', 'feature_explain'] as $function) {
    same("a handler that throws, $function", "ErrorException: $function(): Passing null to parameter #1 (\$flag) of type string is deprecated", thrown(fn () => $function(null, 1)));
}
same('a __toString() that throws', 'LogicException: no', thrown(fn () => feature_enabled(new class { function __toString(): string { throw new LogicException('no'); } })));
echo "done\n";
--EXPECT--
done
