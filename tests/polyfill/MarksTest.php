<?php

declare(strict_types=1);

namespace Flagstone\Polyfill\Tests;

/** Marks of requests and jobs. */
final class MarksTest extends TestCase
{
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
