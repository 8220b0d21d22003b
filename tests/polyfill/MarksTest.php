<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\Tests;

/** Marks of requests and jobs. */
final class MarksTest extends TestCase
{
    // A mark moved the content in the middle of a request of PHP-FPM.
    public function test_a_mark_within_a_request_of_phps_own_moves_no_content(): void
    {
        $run = fn (string $isLongLived): string => $this->marked(
            'echo +feature_enabled("portal"); (new ReflectionClass(Flagstone\Polyfill\Process::class))->setStaticPropertyValue("isLongLived", ' . $isLongLived . ');'
            . '$publish(); $token = flagstone_request_begin(); echo +feature_enabled("portal"); flagstone_request_end(0, $token); echo +feature_enabled("portal");',
        );
        self::assertSame('111', $run('false'));
        self::assertSame('100', $run('true'), 'that of a job does');
    }

    // Overrides of one job answered in all later ones.
    public function test_overrides_go_with_the_outermost_mark_that_they_were_made_in(): void
    {
        $ask = 'echo +feature_enabled("portal");';
        self::assertSame('001', $this->marked('$job = flagstone_request_begin(); flagstone_override(["portal" => false]);' . "\n\$inner = flagstone_request_begin(); $ask flagstone_request_end(0, \$inner); $ask flagstone_request_end(0, \$job); $ask"));
        self::assertSame('00', $this->marked("flagstone_override(['portal' => false]); \$job = flagstone_request_begin(); $ask flagstone_request_end(0, \$job); $ask"), 'those of the process stay');
        self::assertSame('01', $this->marked("for (\$job = 0; \$job < 2; \$job++) { flagstone_request_begin(); if (\$job === 0) flagstone_override(['portal' => false]); $ask }"), 'those of a lost mark do not');
        self::assertSame('00', $this->marked('flagstone_status(); (new ReflectionClass(Flagstone\Polyfill\Process::class))->setStaticPropertyValue("isLongLived", false);'
            . "\$part = flagstone_request_begin(); flagstone_override(['portal' => false]); $ask flagstone_request_end(0, \$part); $ask"), "so do those of PHP's own request");
    }

    // In a loop of promises all requests begin at one place: each took the one before for lost, and content moved under it.
    public function test_marks_at_one_place_overlap_once_one_ends_after_it_was_given_up(): void
    {
        $told = $this->marked('$begin = fn () => flagstone_request_begin(); $end = fn (int $token) => flagstone_request_end(200, $token); $ask = fn () => print(+feature_enabled("portal")); $tokens = [];'
            . 'foreach ([$begin, $begin, 0, $begin, $publish, $ask, $begin, $ask, 1, $begin, $ask] as $step) { if (is_int($step)) { $end($tokens[$step]); } elseif ($step === $begin) { $tokens[] = $step(); } else { $step(); } }');
        self::assertSame('110', $told);
    }

    /** Runs the code in a process of its own with a store in which `portal` is on; `$publish()` turns it off. */
    private function marked(string $code): string
    {
        $store = self::store(['portal' => true]);
        $disable = \var_export(\escapeshellarg((string) \getenv('FLAGSTONE_BIN')) . ' disable portal --yes --store ' . \escapeshellarg($store), true);

        return self::php("\$publish = fn () => exec($disable); $code", ['flagstone.store' => $store, 'flagstone.allow_override' => '1']);
    }
}
