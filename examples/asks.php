<?php

// Asks about one flag for several companies, again after every line on standard input.
//
//     php -d extension=flagstone.so examples/asks.php STORE FLAG

[, $store, $flag] = $argv + [null, null, 'customer_portal'];
if ($store === null || !flagstone_use($store)) {
    fwrite(STDERR, "usage: php asks.php STORE FLAG\n" . (flagstone_status()['last_error'] ?? '') . "\n");
    exit(2);
}
do {
    flagstone_refresh();
    printf("PHP process %d, generation %d:", getmypid(), flagstone_status()['generation']);
    foreach ([15, 42, 103, 7, 8, 'acme-eu'] as $company) {
        printf('  %s %s', $company, feature_enabled($flag, $company) ? 'ON' : 'off');
    }
    echo "\n";
} while (fgets(STDIN) !== false);
