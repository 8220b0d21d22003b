<?php

// Damages a store's files, again and again, and mends them: php storm.php head|snapshots|counters|everything SECONDS STORE COUNTERS FLAGS

[, $what, $seconds, $store, $counters, $flags] = $argv;
$flagstone = getenv('FLAGSTONE');

/** Writes over a file in place, without shortening it. */
function over(string $file, string $bytes, int $at = 0): void
{
    if (($handle = @fopen($file, 'r+')) !== false) {
        fseek($handle, $at);
        fwrite($handle, $bytes);
        fclose($handle);
    }
}

function cut(string $file, int $length): void
{
    if (($handle = @fopen($file, 'r+')) !== false) {
        ftruncate($handle, $length);
        fclose($handle);
    }
}

/** Puts other bytes under the name, as another file. */
function replace(string $file, string $bytes, int $mode): void
{
    file_put_contents("$file.new", $bytes);
    chmod("$file.new", $mode);
    rename("$file.new", $file);
}

/** One kind of damage to a file that holds `$good`. */
function damage(string $file, string $good, int $round): void
{
    $size = strlen($good);
    match ($round % 6) {
        0 => cut($file, random_int(0, intdiv($size, 4096)) * 4096),
        1 => cut($file, random_int(0, $size)),
        2 => @unlink($file),
        3 => replace($file, substr($good, 0, random_int(0, $size - 1)), 0644),
        4 => cut($file, 0),
        // The last bytes: within the last page.
        5 => cut($file, $size - random_int(1, 64)),
    };
}

$until = microtime(true) + $seconds - 0.5;
for ($round = 0; microtime(true) < $until; $round++) {
    $turn = $what === 'everything' ? ['head', 'snapshots', 'counters'][$round % 3] : $what;
    $step = $what === 'everything' ? intdiv($round, 3) : $round;
    if ($turn === 'head') {
        $head = "$store/head";
        $good = file_get_contents($head);
        if ($step % 8 === 6) {
            over($head, str_repeat("\0", 65_536));
        } elseif ($step % 8 === 7) {
            over($head, random_bytes(65_536 - 256), 256);
        } else {
            damage($head, $good, $step % 8);
        }
        usleep(random_int(1_000, 40_000));
        // Mostly in place: a file that took the place of another is mapped only after the next look.
        if (!file_exists($head)) {
            replace($head, $good, 0644);
        } else {
            over($head, $good);
        }
        // After another file came, long enough for a look to find it.
        usleep(in_array($step % 8, [2, 3], true) ? 1_100_000 : 10_000);
    } elseif ($turn === 'snapshots') {
        $files = glob("$store/snapshots/*.snapshot");
        $file = end($files);
        $good = file_get_contents($file);
        chmod($file, 0644);
        damage($file, $good, $step);
        usleep(random_int(1_000, 40_000));
        replace($file, $good, 0444);
        // Another generation, which is mapped again.
        $changed = json_decode(file_get_contents($flags), true);
        $changed['flags']['listed']['description'] = "round $round";
        file_put_contents("$flags.changed", json_encode($changed));
        exec(escapeshellarg($flagstone) . ' publish ' . escapeshellarg("$flags.changed") . ' --store ' . escapeshellarg($store) . ' 2>&1', $output, $status);
        if ($status !== 0) {
            echo implode("\n", $output), "\n";
            exit(1);
        }
        usleep(30_000);
    } else {
        foreach (glob("$counters/flagstone-*/*.counters") as $file) {
            $good = (string) @file_get_contents($file);
            $size = max(1, strlen($good));
            match ($step % 5) {
                0 => cut($file, random_int(0, $size)),
                1 => @unlink($file),
                2 => over($file, random_bytes($size)),
                3 => @rename($file, dirname($file) . '/away'),
                4 => over($file, str_repeat("\0", $size)),
            };
        }
        usleep(random_int(50_000, 600_000));
    }
}
