<?php

/**
 * Makes of the example's cached configuration two, with the package and without, for the pages that php-fpm is measured by.
 *
 *     php configure.php BOOTSTRAP/CACHE
 */

declare(strict_types=1);

$cache = $argv[1];
$config = require "$cache/config.php";
// A guard that costs nothing, and no routes but the bench's.
$config['auth']['defaults']['guard'] = 'bench';
$config['auth']['guards']['bench'] = ['driver' => 'bench'];
$leave = ['with' => ['App\AppServiceProvider'], 'without' => ['App\AppServiceProvider', 'Flagstone\Laravel\FlagstoneServiceProvider']];
$all = $config['app']['providers'];
foreach ($leave as $name => $providers) {
    $config['app']['providers'] = array_values(array_diff($all, $providers));
    file_put_contents("$cache/config-$name.php", '<?php return ' . var_export($config, true) . ';');
}
foreach ([...glob("$cache/config.php"), ...glob("$cache/routes*.php")] as $file) {
    unlink($file);
}
