--TEST--
a panic costs an answer, never the process
--DESCRIPTION--
Fails where the extension was not built with the feature test-hooks, as make test builds it.
--INI--
error_log=/dev/null
--FILE--
<?php
require __DIR__ . '/support.inc';

same('off', false, @flagstone_test_panic());
same('counted', 1, flagstone_status()['counters']['panics']);
flagstone_use(store(['a' => true]));
same('and goes on', true, feature_enabled('a'));
echo "done\n";
--EXPECT--
done
