--TEST--
a process that asks seldom notices a restored head before long
--INI--
flagstone.refresh=0.01
error_log=/dev/null
--FILE--
<?php
require __DIR__ . '/support.inc';

// A flag and an int are answered on a path of their own.
foreach ([[], [7], ['tenant']] as $company) {
    $store = store(['a' => true]);
    copy("$store/head", "$store/head.backup");
    chmod("$store/head.backup", 0644);
    publish($store, ['a' => false]);
    flagstone_use($store);
    for ($question = 0; $question < 1000; $question++) {
        feature_enabled('a', ...$company);
    }
    same('before', false, feature_enabled('a', ...$company));
    usleep(1200000);
    rename("$store/head.backup", "$store/head");
    // A count that wrapped around once a look was due let it never look again.
    for ($questions = 0; $questions < 16 && !feature_enabled('a', ...$company); $questions++) {
        usleep(15000);
    }
    same("after $questions questions", true, feature_enabled('a', ...$company));
    same('generation', 1, flagstone_status()['generation']);
}
echo "done\n";
--EXPECT--
done
