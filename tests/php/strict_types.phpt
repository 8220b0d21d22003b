--TEST--
strict_types is honoured
--FILE--
<?php
declare(strict_types=1);
require __DIR__ . '/support.inc';

flagstone_use(store(['42' => true, 'all' => true]));
same('int flag', 'TypeError: feature_enabled(): Argument #1 ($flag) must be of type string, int given', thrown(fn () => feature_enabled(42)));
same('float company', 'TypeError: feature_enabled(): Argument #2 ($company) must be of type string|int|null, float given',
    thrown(fn () => feature_enabled('all', 1.0)));
same('exact types', true, feature_enabled('all', 1, []));
echo "done\n";
--EXPECT--
done
