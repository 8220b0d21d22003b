<?php

/**
 * Measures in php-fpm what a flag adds to a request, all told: classes, boot, router, middleware.
 *
 *     php measure.php ADDRESS ROUNDS
 *
 * Every round asks for each page once, in another order each time; php-fpm says how much of the processor's time it took.
 */

declare(strict_types=1);

[, $address, $rounds] = $argv;
$pages = [
    'no package, no flag' => 'plain/without',
    'no package, a middleware that does nothing' => 'nothing/without',
    'no package, config() and in_array() on 3 companies' => 'config/without',
    'the package, no flag' => 'plain/with',
    'the package, feature:customer_portal' => 'feature/with',
];
// What an error page says is shown too.
$context = stream_context_create(['http' => ['ignore_errors' => true]]);
$ask = static function (string $page) use ($context, $address): int {
    $body = file_get_contents("$address/$page", false, $context);
    if ($body !== 'page of company 15') {
        throw new RuntimeException("$page: " . substr(strip_tags((string) $body), 0, 500));
    }
    foreach ($http_response_header as $line) {
        if (stripos($line, 'X-Microseconds:') === 0) {
            return (int) substr($line, 15);
        }
    }

    throw new RuntimeException("$page: no header X-Microseconds");
};
foreach ($pages as $page) {
    $ask("$page/learn");
}
$times = [];
$names = array_keys($pages);
for ($round = -50; $round < (int) $rounds; $round++) {
    shuffle($names);
    foreach ($names as $name) {
        $microseconds = $ask($pages[$name]);
        if ($round >= 0) {
            $times[$name][] = $microseconds;
        }
    }
}
$median = static function (array $times): float {
    sort($times);

    return $times[intdiv(count($times), 2)];
};
$plain = $median($times['no package, no flag']);
printf("%-52s %10s %10s\n", 'µs of processor time in php-fpm, medians', 'request', 'added');
foreach (array_keys($pages) as $name) {
    printf("%-52s %10.0f %10.0f\n", $name, $median($times[$name]), $median($times[$name]) - $plain);
}
