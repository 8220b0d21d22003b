<?php

// Prints the figures as tables and bars; with a directory, also writes benchmarks.md and benchmarks.svg there.
//
//     php report.php FIGURES.json [DIRECTORY]

$figures = json_decode(file_get_contents($argv[1]), true, flags: JSON_THROW_ON_ERROR);
$loop = 'the loop alone';
$measure = 'str_contains()';

/** Medians without the loop's. */
$net = function (array $medians) use ($loop): array {
    $base = $medians[$loop];
    unset($medians[$loop]);

    return array_map(fn (float $time) => max(0.1, $time - $base), $medians);
};
$plain = $net($figures['plain']['medians']);
$jit = $net($figures['jit']['medians']);
$ratio = fn (array $net, string $name) => $net[$name] / $net[$measure];
$width = max(array_map('strlen', array_keys($plain)));

$lines = [sprintf("%-{$width}s  %7s %9s  %7s %9s", 'net cost of a call', 'no JIT', 'ns', 'JIT', 'ns')];
foreach ($plain as $name => $time) {
    $lines[] = sprintf("%-{$width}s  %6.2fx %9.1f  %6.2fx %9.1f", $name, $ratio($plain, $name), $time, $ratio($jit, $name), $jit[$name]);
}
$bars = [];
$longest = log(max($plain) / min($plain) + 1);
foreach ($plain as $name => $time) {
    $bars[] = sprintf("%-{$width}s  %s %.1f", $name, str_repeat('█', 1 + (int) (40 * log($time / min($plain) + 1) / $longest)), $ratio($plain, $name));
}

$hot = $plain['feature_enabled(), 50 %'];
$bounds = [
    ['50 %, int company, against str_contains(), net', $hot / $plain[$measure], '×', 1.2, 1.0, 'at most'],
    ['by hand with crc32() against it, net', $plain['by hand: array and crc32()'] / $hot, '×', 5, 10, 'at least'],
    ['10,000 flags against 10', $plain['feature_enabled(), 50 %, 10,000 flags'] / $hot, '×', 1.3, 1.1, 'at most'],
    ['a million overrides against none', $plain['feature_enabled(), a million overrides'] / $hot, '×', 4, 2, 'at most'],
    ['a million overrides, 64-bit ids, against none', $plain['feature_enabled(), a million, 64-bit ids'] / $hot, '×', 4, 2, 'at most'],
    ['the same, a company that is listed, against none', $plain['feature_enabled(), the same, a listed one'] / $hot, '×', 4, 2, 'at most'],
];
// What telemetry adds: the least of several processes with it, less the least of as many without.
$least = fn (string $switch, string $case) => min(array_column($figures[$switch], $case));
$more = fn (string $case) => $least('on', $case) - $least('off', $case);
$native = $least('off', 'str_contains()') - $least('off', 'the loop alone');
$bounds[] = ['counting a call, against str_contains(), net', $more('feature_enabled(), 50 %') / $native, '×', 0.3, 0.3, 'at most'];
foreach ([1, 20, 64] as $count) {
    $outcomes = $more("a request of $count flags") - $more("$count questions");
    $bounds[] = ["what a request came to, $count flag" . ($count > 1 ? 's' : ''), $outcomes / 1000, 'µs', 1, 1, 'at most'];
}
if (isset($figures['publish'])) {
    array_push($bounds,
        ['publish 10,000 flags and a million overrides', $figures['publish'], 's', 2, 0.5, 'at most'],
        ['first answer in a new process from that', $figures['first']['micros'] / 1000, 'ms', 5, 1, 'at most'],
        ['private memory for that in a worker', $figures['private'], 'KiB', 1024, 100, 'at most'],
        ['libflagstone.so, stripped', $figures['so'] / 1024, 'KiB', 2048, 700, 'at most'],
    );
}
$verdicts = [];
foreach ($bounds as [$what, $value, $unit, $least, $aim, $direction]) {
    $meets = fn (float $bound) => $direction === 'at most' ? $value <= $bound : $value >= $bound;
    $verdicts[] = [$what, sprintf('%.2f %s', $value, $unit), "$direction $least", (string) $aim, $meets($aim) ? 'aim met' : ($meets($least) ? 'met' : 'NOT MET')];
}
$wins = array_keys(array_filter($plain, fn (float $time, string $name) => $time < $hot && str_contains($name, 'no flag') || $time < $hot && str_contains($name, 'by hand'), ARRAY_FILTER_USE_BOTH));
$losing = $wins === [] ? 'No pure PHP that was tried beats it.' : 'Pure PHP beats a 50 % rollout here: ' . implode('; ', $wins) . '.';

echo implode("\n", $lines), "\n\nmultiples of str_contains(), on a logarithmic scale, no JIT\n", implode("\n", $bars), "\n\n";
foreach ($verdicts as $row) {
    vprintf("%-49s %12s   bound %-14s aim %-6s %s\n", $row);
}
echo "\n$losing\n";
foreach ($figures['instructions'] ?? [] as $name => $count) {
    printf("instructions a call, loop subtracted: %-40s %8.1f\n", $name, $count);
}
if (!isset($argv[2])) {
    exit;
}

$escape = fn (string $text) => htmlspecialchars($text, ENT_XML1);
$svg = '';
$y = 0;
foreach ($plain as $name => $time) {
    $bar = 20 + 380 * log($time / min($plain) + 1) / $longest;
    $colour = str_starts_with($name, 'feature') ? '#2f6f4f' : (str_starts_with($name, 'polyfill') ? '#7aa68c' : '#b8b4aa');
    $svg .= sprintf('<text x="290" y="%d" text-anchor="end">%s</text><rect x="300" y="%d" width="%.1f" height="16" fill="%s"/><text x="%.1f" y="%d">%.1f</text>',
        $y + 13, $escape($name), $y, $bar, $colour, 306 + $bar, $y + 13, $ratio($plain, $name)) . "\n";
    $y += 24;
}
file_put_contents("$argv[2]/benchmarks.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 -34 760 " . ($y + 44) . "\" font-family=\"sans-serif\" font-size=\"12\">\n"
    . '<rect x="0" y="-34" width="760" height="' . ($y + 44) . "\" fill=\"#ffffff\"/>\n"
    . "<text x=\"20\" y=\"-14\" font-weight=\"bold\">Net cost of a call, in multiples of str_contains() (logarithmic; less is better)</text>\n$svg</svg>\n");

$table = fn (array $head, array $rows) => implode("\n", array_map(fn (array $row) => '| ' . implode(' | ', $row) . ' |', [$head, array_fill(0, count($head), '---'), ...$rows]));
$markdown = "# Benchmarks\n\nWritten by `make bench` in one run: cases in turn, round after round, the loop subtracted, medians. Absolute times on a shared machine mean\nlittle; the ratios are of one run.\n\n"
    . "Machine: {$figures['machine']}, PHP {$figures['plain']['php']}.\n\n![Net cost of a call](benchmarks.svg)\n\n## A call\n\n"
    . $table(['case', 'no JIT, × str_contains()', 'ns', 'JIT, × str_contains()', 'ns'], array_map(
        fn (string $name) => [str_replace('|', '\|', $name), sprintf('%.2f', $ratio($plain, $name)), sprintf('%.1f', $plain[$name]), sprintf('%.2f', $ratio($jit, $name)), sprintf('%.1f', $jit[$name])],
        array_keys($plain),
    ))
    . "\n\nWith the JIT, `str_contains()` of constants and loops over plain arrays are compiled away or inlined; calls of an extension's functions are not.\n\n$losing\n\n## Bounds\n\n"
    . $table(['what', 'measured', 'bound', 'aim', ''], $verdicts)
    . "\n\n## Instructions\n\nCounted by callgrind, the difference of two counts of calls, so that the machine's mood plays no part.\n\n"
    . $table(['case', 'instructions a call, with the loop'], array_map(fn (string $name, float $count) => [$name, sprintf('%.1f', $count)], array_keys($figures['instructions']), $figures['instructions']))
    . "\n";
file_put_contents("$argv[2]/benchmarks.md", $markdown);
