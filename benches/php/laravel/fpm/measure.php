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
$curl = curl_init();
$took = null;
curl_setopt_array($curl, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HEADERFUNCTION => static function ($curl, string $line) use (&$took): int {
        if (stripos($line, 'X-Microseconds:') === 0) {
            $took = (int) substr($line, 15);
        }

        return strlen($line);
    },
]);
$ask = static function (string $page) use ($curl, $address, &$took): int {
    curl_setopt($curl, CURLOPT_URL, "$address/$page");
    $body = curl_exec($curl);
    if ($body !== 'page of company 15') {
        throw new RuntimeException("$page: " . substr(strip_tags((string) $body), 0, 500));
    }

    return $took;
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
