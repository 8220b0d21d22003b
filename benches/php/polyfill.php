<?php

/** A rollout asked of the polyfill for ever new companies: microseconds a question. FLAGSTONE_BIN is the command, FLAGSTONE_TEST_DIR a directory. */

declare(strict_types=1);

require __DIR__ . '/../../polyfill/bootstrap.php';

[$command, $directory] = [getenv('FLAGSTONE_BIN'), getenv('FLAGSTONE_TEST_DIR')];
file_put_contents("$directory/cost.json", '{"flags": {"portal": {"enabled": true, "rollout": {"percentage": 50}}}}');
foreach (['init --environment production', 'publish ' . escapeshellarg("$directory/cost.json")] as $words) {
    exec(escapeshellarg($command) . ' --store ' . escapeshellarg("$directory/cost") . " $words", $output, $code);
    $code === 0 || exit(1);
}
flagstone_use("$directory/cost");
$began = hrtime(true);
for ($company = 0; $company < 100_000; ++$company) {
    feature_enabled('portal', $company);
}
printf("feature_enabled() of a rollout: %.2f µs\n", (hrtime(true) - $began) / 1e8);
