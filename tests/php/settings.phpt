--TEST--
a setting that is not understood is named in the log, in the status and by php --ri; words in capitals and blanks are understood
--FILE--
<?php
require __DIR__ . '/support.inc';

// A misspelt flagstone.map was taken for auto, and nobody was told.
$store = store(['on' => true]);
$ask = 'for ($i = 0; $i < 3; $i++) feature_enabled("on"); flagstone_refresh(); echo "\nstatus: ", flagstone_status()["warning"] ?? "none";';
$run = fn (array $settings) => php($ask, ['flagstone.store' => $store] + $settings);
$map = fn (string $value) => php('echo flagstone_status()["map"];', ['flagstone.store' => $store, 'flagstone.map' => $value]);
foreach ([
    ['flagstone.map', 'privat', 'auto, private or shared'],
    ['flagstone.owner', 'nobody-has-this-name', "a user's number, or a name of /etc/passwd"],
    ['flagstone.owner', '4294967295', "a user's number, or a name of /etc/passwd"],
    ['flagstone.telemetry', 'tmp/counters', "On, Off, or a directory's absolute path"],
    ['flagstone.refresh', 'abc', 'seconds from 0 to 86400'],
    ['flagstone.refresh', '-1', 'seconds from 0 to 86400'],
    ['flagstone.refresh', '100000', 'seconds from 0 to 86400'],
    ['flagstone.refresh', 'NAN', 'seconds from 0 to 86400'],
    ['flagstone.allow_override', 'perhaps', 'On, Off or cli'],
] as [$setting, $value, $expected]) {
    $line = "$setting is \"$value\", expected $expected; it is ignored";
    $said = $run([$setting => $value]);
    same("$setting=$value: log and status", [2, true], [substr_count($said, $line), str_ends_with($said, "status: $line")]);
    same("$setting=$value: --ri", true, str_contains(php('', [$setting => $value, 'flagstone.store' => $store], '--ri', 'flagstone'), "Warning => $line"));
}
same('two of them', 2, preg_match_all('/it is ignored(; |$)/', strstr($run(['flagstone.map' => 'x', 'flagstone.refresh' => 'y']), 'status:')));
same('what a terminal would obey', true, str_contains($run(['flagstone.map' => "\x1b[2J"]), 'flagstone.map is "\u{1b}[2J", expected'));
foreach ([
    ['flagstone.map', 'PRIVATE'], ['flagstone.map', 'Auto'], ['flagstone.map', ' shared '], ['flagstone.map', ''], ['flagstone.telemetry', 'OFF'], ['flagstone.telemetry', 'Yes'],
    ['flagstone.telemetry', ''], ['flagstone.refresh', ' 2 '], ['flagstone.refresh', ''], ['flagstone.refresh', '0.5'], ['flagstone.allow_override', 'CLI'], ['flagstone.allow_override', ''],
    ['flagstone.store', $store], ['flagstone.owner', ''], ['flagstone.owner', ' www-data '], ['flagstone.owner', '33'],
] as [$setting, $value]) {
    same("$setting=$value", "\nstatus: none", $run([$setting => $value]));
}
same('capitals are taken', ['shared', 'private'], [$map('SHARED'), $map('Private')]);
$kill = implode(' ', array_map('escapeshellarg', [getenv('FLAGSTONE_BIN'), 'kill', 'on', '--reason', 'test', '--store', $store]));
same('a blank refresh is the default', '0', php('feature_enabled("on"); exec(' . var_export($kill, true) . ');
    usleep(1500000); for ($i = 0; $i < 300; $i++) { $on = feature_enabled("on"); usleep(1000); } echo +$on;', ['flagstone.store' => $store, 'flagstone.refresh' => '']));
same('a blank store is none', 'no store: set flagstone.store in php.ini, or call flagstone_use() with the store\'s directory',
    php('echo flagstone_status()["last_error"];', ['flagstone.store' => ' ', 'error_log' => '/dev/null']));
echo "done\n";
--EXPECT--
done
