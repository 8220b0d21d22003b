<?php

declare(strict_types=1);

// Pages behind flags under PHP-FPM, without a framework: for whom a page's flag is off, its path does not exist. The web server sends
// every request to this file; php.ini names the store.

// Each page's flag, if any.
$pages = [
    '/' => [null, static fn (): string => "Home\n"],
    '/portal' => ['customer_portal', static fn (): string => "Your portal\n"],
];

// The login put the company there. A company that the request itself names would choose its own answers.
session_start(['read_and_close' => true]);
$company = $_SESSION['company'] ?? null;

[$flag, $page] = $pages[strtok($_SERVER['REQUEST_URI'], '?')] ?? [null, null];
if ($flag !== null && !feature_enabled($flag, $company)) {
    // So that this 404 counts for no one: neither for those who have the feature nor for those who lack it.
    flagstone_gated($flag);
    $page = null;
}
if ($page === null) {
    http_response_code(404);
    $page = static fn (): string => "Not found\n";
}
header('Content-Type: text/plain; charset=utf-8');
echo $page();
