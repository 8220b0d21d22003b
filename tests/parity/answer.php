<?php

/*
 * One side. Prints a hash of the answers per block, then the tally; or, told which block, every answer in it.
 *
 *     answer.php ROUND_FILE BLOCKS QUESTIONS [BLOCK]
 */

declare(strict_types=1);

error_reporting(E_ALL);
set_error_handler(static function (int $severity, string $message, string $file, int $line): never {
    throw new ErrorException($message, 0, $severity, $file, $line);
});
foreach (['Pools', 'Definitions', 'Questions', 'Answers'] as $class) {
    require __DIR__ . "/$class.php";
}
if (!extension_loaded('flagstone')) {
    require __DIR__ . '/../../polyfill/bootstrap.php';
}

[, $file, $blocks, $each] = $argv;
$round = unserialize(file_get_contents($file));
if (isset($round['file']) && !extension_loaded('flagstone')) {
    Flagstone\Polyfill\Process::useFile(...$round['file']);
} else {
    flagstone_use($round['store']);
}
$questions = new Questions($round['flags'], $round['companies'], $round['seed']);
$answers = new Answers();
$only = isset($argv[4]) ? (int) $argv[4] : null;

for ($block = $only ?? 0; $block < ($only === null ? (int) $blocks : $only + 1); ++$block) {
    $questions->block($block);
    $hash = hash_init('xxh128');
    for ($i = 0; $i < (int) $each; ++$i) {
        [$flag, $company, $context] = $questions->next();
        $answer = serialize($answers->to($flag, $company, $context));
        if ($only !== null) {
            echo base64_encode(serialize([$flag, $company, $context])), ' ', base64_encode($answer), "\n";
        }
        hash_update($hash, $answer);
    }
    $answer = serialize($answers->further($questions));
    if ($only !== null) {
        echo base64_encode(serialize('needs, possible, all, filter and overrides')), ' ', base64_encode($answer), "\n";
    }
    hash_update($hash, $answer);
    if ($only === null) {
        echo hash_final($hash), "\n";
    }
}
if ($only === null) {
    $status = flagstone_status();
    $same = array_diff_key($status, ['backend' => 0, 'age' => 0, 'sigbus' => 0, 'telemetry' => 0, 'counters' => 0]);
    // A file has another name, and another time, than the store.
    $same = isset($round['file']) ? array_intersect_key($same, ['environment' => 0, 'generation' => 0, 'source' => 0, 'flags' => 0, 'last_error' => 0]) : $same;
    echo md5(serialize([$same, array_keys($status), array_keys($status['counters'])])), "\n";
    echo json_encode($answers->tally), "\n";
}
