<?php

/*
 * What the extension and the polyfill say to arguments of all types: the same answers, errors and deprecations, but for what
 * polyfill/README.md tells. Without the extension this is the side that prints.
 *
 *     arguments.php [STORE]
 */

if (isset($argv[1])) {
    error_reporting(E_ALL);
    if (!extension_loaded('flagstone')) {
        require __DIR__ . '/../../polyfill/bootstrap.php';
    }
    flagstone_use($argv[1]);
    set_error_handler(static function (int $severity, string $message): bool {
        echo "  $message\n";

        return true;
    });
    $open = fopen('php://memory', 'r');
    $closed = fopen('php://memory', 'r');
    fclose($closed);
    $reference = 42;
    $companies = [0, -1, PHP_INT_MAX, 42, '42', '042', '', ' 42', "\xff\0", str_repeat('7', 1024), str_repeat('7', 1025), null, true, false, 1.0, 1.5, -0.0, 1e20, NAN, INF, 1e18, 2.0 ** 53, -(2.0 ** 53), 9007199254740991.0, -9007199254740991.0,
        [], [1], new stdClass(), new ArrayObject(), new class extends ArrayObject {}, new SplFileInfo('42'), static fn () => 1, $open, $closed, &$reference];
    $attributes = [static fn () => 1, $open, $closed, new class { public function __toString(): string { return 'pro'; } }, new class extends ArrayObject {}, (function () { yield 1; })(), NAN, INF,
        new SplFileInfo('pro'), new ArrayIterator(['pro']), new DateTimeZone('UTC'), new Exception('pro'),
        new class extends DateTime { public function __construct() {} }, new class extends DateTimeImmutable { public function format($format): string { return 'soon'; } }];
    $calls = [];
    foreach ($attributes as $at => $attribute) {
        foreach (['enabled', 'variant', 'value', 'explain', 'peek'] as $function) {
            $calls["$function attribute $at"] = static fn () => "feature_$function"('ruled', 1, ['plan' => $attribute]);
        }
        $calls["all attribute $at"] = static fn () => feature_all(1, ['plan' => $attribute]);
        $calls["filter attribute $at"] = static fn () => feature_filter('ruled', [1, 2], ['plan' => $attribute]);
    }
    // A text is asked for once a question, however many flags, companies and steps read it.
    $asked = static function (string $function, mixed ...$arguments): array {
        $plan = new class {
            public int $asked = 0;

            public function __toString(): string
            {
                ++$this->asked;

                return 'pro';
            }
        };

        return ["feature_$function"(...$arguments, context: ['plan' => $plan]), $plan->asked];
    };
    foreach (['enabled', 'variant', 'value', 'explain', 'peek'] as $function) {
        $calls["$function asks"] = static fn () => $asked($function, 'ruled', 1);
        $calls["$function asks for none"] = static fn () => $asked($function, 'off', 1);
    }
    $calls['all asks'] = static fn () => $asked('all', 1);
    $calls['filter asks'] = static fn () => $asked('filter', 'ruled', [1, 2, 3]);
    $calls['filter asks for none'] = static fn () => $asked('filter', 'ruled', []);
    $contexts = [null, 1, 'x', true, new stdClass(), new ArrayObject(['plan' => 'pro']), $open];
    $choices = [true, false, 'v', 'none', null, 1, 1.5, new stdClass(), $closed, [], [1 => true, 'x' => 'v', "\xff" => false], [1 => [true]], ['x' => null]];
    foreach ($companies as $at => $company) {
        foreach (['enabled', 'variant', 'value', 'explain'] as $function) {
            $calls["$function company $at"] = static fn () => "feature_$function"('on', $company);
        }
        $calls["all $at"] = static fn () => feature_all($company);
        $calls["filter $at"] = static fn () => feature_filter('on', ['a' => 1, "\xff" => $company, '' => '']);
        $calls["filter none $at"] = static fn () => feature_filter('off', [$company]);
        $calls["possible $at"] = static fn () => $company === null ?: feature_possible($company);
        $calls["needs $at"] = static fn () => $company === null ?: feature_needs($company);
        $calls["use $at"] = static fn () => $company === null || is_array($company) ?: flagstone_use(is_string($company) ? "/nonexistent/$company" : $company);
    }
    foreach ($contexts as $at => $context) {
        $calls["context $at"] = static fn () => feature_enabled('on', 1, $context);
        $calls["all, context $at"] = static fn () => feature_all(context: $context);
        $calls["filter, context $at"] = static fn () => feature_filter('on', [1], $context);
        $calls["companies $at"] = static fn () => feature_filter('on', $context);
        $calls["default $at"] = static fn () => feature_value('off', default: $context);
    }
    foreach ($choices as $at => $choice) {
        $calls["override $at"] = static function () use ($choice, $companies): array {
            flagstone_override(['on' => $choice, "\xff" => $choice, '42' => $choice]);
            $said = [];
            foreach (['on', "\xff", 42, 'off'] as $flag) {
                foreach ([null, 1, '1', 'x', "\xff"] as $company) {
                    $said[] = [feature_enabled($flag, $company), feature_explain($flag, $company), feature_value($flag, $company, [], 'default')];
                }
                $said[] = feature_possible($flag);
            }
            $all = feature_all(1);
            ksort($all, SORT_STRING);

            return [$said, $all];
        };
        $calls["override end $at"] = static fn () => flagstone_override(null);
        $calls["otherwise $at"] = static fn () => is_array($choice) || flagstone_override(null, $choice);
        $calls["otherwise end $at"] = static fn () => [feature_all(), feature_enabled('on'), feature_possible('none'), flagstone_override(null)];
    }
    foreach ($calls as $name => $call) {
        flagstone_use($argv[1]);
        try {
            $said = serialize($call());
        } catch (Throwable $error) {
            $said = $error::class . ': ' . preg_replace('/, called in .* on line \d+$/', '', $error->getMessage());
        }
        echo "$name: ", strtr($said, "\n", ' '), "\n";
    }
    exit(0);
}

$flagstone = escapeshellarg(getenv('FLAGSTONE_BIN'));
$store = getenv('FLAGSTONE_TEST_DIR') . '/arguments';
file_put_contents("$store.json", json_encode(['flags' => ['on' => ['enabled' => true, 'variants' => ['v' => ['weight' => 40, 'value' => [1]], 'w' => ['weight' => 60]]], 'off' => false, '42' => true,
    'again' => ['enabled' => true, 'rollout' => ['percentage' => 50], 'rules' => [['when' => ['attribute' => 'plan', 'eq' => 'free']]]],
    'ruled' => ['enabled' => true, 'rollout' => ['percentage' => 50, 'by' => 'plan'], 'variants' => ['v' => ['weight' => 40], 'w' => ['weight' => 60]], 'rules' => [
        ['name' => 'known', 'when' => ['not' => ['attribute' => 'plan', 'eq' => 'free']]], ['name' => 'there', 'when' => ['attribute' => 'plan', 'exists' => true]], ['name' => 'gone', 'when' => ['attribute' => 'plan', 'exists' => false]]]]]]));
exec("$flagstone --store $store init --environment production 2>&1 && $flagstone --store $store publish $store.json 2>&1", $output, $code);
$sides = [];
foreach ([['-d', 'extension=' . getenv('FLAGSTONE_EXTENSION')], []] as $options) {
    $command = implode(' ', array_map('escapeshellarg', [PHP_BINARY, '-n', ...$options, __FILE__, $store]));
    exec("$command 2>/dev/null", $lines, $ended);
    $sides[] = $lines;
    $code += $ended;
    $lines = [];
}
if ($code !== 0 || count($sides[0]) < 300) {
    echo implode("\n", [...$output, ...$sides[0], ...$sides[1]]), "\nparity: could not ask\n";
    exit(1);
}
if ($sides[0] !== $sides[1]) {
    foreach ($sides[0] as $at => $line) {
        if ($line !== ($sides[1][$at] ?? '')) {
            echo "extension: $line\npolyfill:  ", $sides[1][$at] ?? '', "\n";
        }
    }
    exit(1);
}
echo 'parity: ', count($sides[0]), " calls with all types of arguments are answered alike\n";
