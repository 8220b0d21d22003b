--TEST--
no file that is cut short, overwritten, deleted or replaced ends a process, in the parent or in children of a fork, and nothing denied or killed is on
--INI--
flagstone.map=shared
flagstone.refresh=1
error_log=/dev/null
--FILE--
<?php
require __DIR__ . '/support.inc';

$denied = array_map(fn (int $n): int => $n * 3 * 1_000_003, range(0, 19_999));
$flags = ['killed' => true, 'listed' => ['enabled' => true, 'companies' => ['deny' => $denied]],
    'shown' => ['enabled' => true, 'companies' => ['deny' => $denied], 'variants' => ['a' => ['weight' => 100, 'value' => ['x' => 1]]]],
    'ruled' => ['enabled' => true, 'rollout' => ['percentage' => 100], 'rules' => [['when' => ['attribute' => 'plan', 'eq' => 'free'], 'percentage' => 0]]]];
$store = store($flags);
flagstone_use($store);
$cut = function (string $file, int $length): void {
    chmod($file, 0644);
    $handle = fopen($file, 'r+');
    ftruncate($handle, $length);
    fclose($handle);
};
$newest = function () use ($store): string {
    $files = glob("$store/snapshots/*");

    return end($files);
};
/** What is wrong with the answers. */
$wrong = function () use ($denied): array {
    $wrong = [];
    foreach ([0, 1, 700, 19_999] as $n) {
        $company = $denied[$n];
        feature_enabled('listed', $company) && $wrong[] = "denied $n";
        feature_enabled('listed', (string) $company) && $wrong[] = "denied as a string $n";
        feature_enabled('killed', $company) && $wrong[] = 'killed';
        feature_enabled('ruled', $company, ['plan' => 'free']) && $wrong[] = 'kept out by a rule';
        feature_variant('shown', $company) !== null && $wrong[] = 'variant';
        feature_value('shown', $company, [], 'none') !== 'none' && $wrong[] = 'value';
        feature_explain('listed', $company)['enabled'] && $wrong[] = 'explained';
        (feature_all($company)['listed'] ?? false) && $wrong[] = 'all';
        feature_filter('listed', [$company]) !== [] && $wrong[] = 'filter';
    }

    return $wrong;
};
same('where nothing is wrong', [], $wrong() === ['killed', 'killed', 'killed', 'killed'] ? [] : $wrong());
flagstone('kill', 'killed', '--reason', 'test', '--store', $store);
flagstone_refresh();
same('answers', [true, []], [feature_enabled('listed', 1), $wrong()]);
same('the handler', 'in_place', flagstone_status()['sigbus']);
same('mapped', 'shared', flagstone_status()['map']);

$lost = flagstone_status()['counters']['lost_mappings'];
foreach ([0, 512, 896, 4096, 5000, 70_001, filesize($newest()) - 4097, filesize($newest()) - 3] as $round => $length) {
    $flags['listed']['description'] = "round $round";
    publish($store, $flags);
    flagstone_refresh();
    same("mapped again for $length", ['shared', 'current', []], [flagstone_status()['map'], flagstone_status()['source'], $wrong()]);
    $good = file_get_contents($newest());
    if (($child = pcntl_fork()) === 0) {
        $cut($newest(), $length);
        exit(count($wrong()));
    }
    pcntl_waitpid($child, $status);
    same("a child, cut to $length", [true, 0], [pcntl_wifexited($status), pcntl_wexitstatus($status)]);
    same("the parent, cut to $length", [], $wrong());
    same("on, for others, cut to $length", true, feature_enabled('listed', 1));
    same("told, cut to $length", true, in_array(flagstone_status()['source'], ['previous', 'current'], true));
    file_put_contents("$store.good", $good);
    rename("$store.good", $newest());
}
same('mappings were lost', true, flagstone_status()['counters']['lost_mappings'] > $lost);

$head = file_get_contents("$store/head");
foreach ([0, 4096, 5000, 61_440, 65_535] as $length) {
    $cut("$store/head", $length);
    same("head cut to $length", [], $wrong());
    flagstone_refresh();
    same("head cut to $length, after a look", [], $wrong());
    file_put_contents("$store.good", $head);
    rename("$store.good", "$store/head");
    usleep(1_100_000);
    flagstone_refresh();
    same("head mended after $length", [[], ['killed']], [$wrong(), flagstone_status()['killed']]);
}
unlink("$store/head");
usleep(1_100_000);
flagstone_refresh();
same('head deleted', [true, [], true], [feature_enabled('listed', 1), $wrong(), str_contains(flagstone_status()['last_error'], 'head')]);
echo "done\n";
--EXPECT--
done
