<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Subject;

use Closure;
use Generator;
use Illuminate\Broadcasting\PendingBroadcast;
use Illuminate\Container\Container;
use Illuminate\Contracts\Support\Responsable;
use Illuminate\Database\DatabaseTransactionRecord;
use Illuminate\Database\DatabaseTransactionsManager;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Bus\PendingDispatch;
use Illuminate\Support\Collection;
use Illuminate\Support\LazyCollection;
use Illuminate\View\View;
use Iterator;
use Symfony\Component\HttpFoundation\StreamedResponse;

/**
 * Makes results and callbacks that run after the end of a closure act for the closure's subject.
 *
 * @internal
 */
final class Later
{
    private const DEFERRED = 'Illuminate\Support\Defer\DeferredCallbackCollection';

    /** Parts of an array or a collection that run later. */
    private const PARTS = [PendingDispatch::class, PendingBroadcast::class, View::class, StreamedResponse::class, LazyCollection::class, Generator::class, Collection::class];

    /** @var array<class-string, bool> true if objects of a class are such parts: thousands of models are not */
    private static array $late = [];

    /** Maximum nesting of arrays and collections that are searched: an array may hold itself. */
    private const DEPTH = 4;

    /** @var ?Closure(object): array<int, mixed> */
    private static ?Closure $terminating = null;

    public function __construct(private readonly Subjects $subjects)
    {
    }

    /**
     * Binds a result. A view, a stream, a lazy collection and a generator keep their type. A Responsable becomes its response. A
     * pending dispatch is dispatched, and null is returned. The same applies to those in an array or a collection.
     */
    public function result(Subject $subject, mixed $result, int $depth = 0): mixed
    {
        return match (true) {
            \is_array($result) => $this->each($subject, $result, $depth) ?? $result,
            $result instanceof Collection => ($each = $this->each($subject, $result->all(), $depth)) === null ? $result : $result::make($each),
            $result instanceof PendingDispatch, $result instanceof PendingBroadcast => null,
            $result instanceof View => ActingView::of($result, $subject),
            $result instanceof StreamedResponse => $this->stream($subject, $result),
            $result instanceof LazyCollection => $this->lazy($subject, $result),
            $result instanceof Generator => $this->steps($subject, $result),
            $result instanceof Responsable => $this->response($result),
            default => $result,
        };
    }

    /**
     * Binds several results. A Responsable among them stays: the caller may use it as a part of another result.
     *
     * @param array<array-key, mixed> $results
     * @return ?array<array-key, mixed> null if none of them runs later
     */
    private function each(Subject $subject, array $results, int $depth): ?array
    {
        $changed = false;
        foreach ($depth < self::DEPTH ? $results : [] as $key => $result) {
            if (\is_array($result) || \is_object($result) && (self::$late[$result::class] ??= self::isLate($result))) {
                $later = $this->result($subject, $result, $depth + 1);
                if ($later !== $result) {
                    $results[$key] = $later;
                    $changed = true;
                }
            }
        }

        return $changed ? $results : null;
    }

    private static function isLate(object $result): bool
    {
        foreach (self::PARTS as $class) {
            if ($result instanceof $class) {
                return !$result instanceof Responsable;
            }
        }

        return false;
    }

    private function response(Responsable $result): mixed
    {
        $app = Container::getInstance();

        return $app->bound('request') ? $this->result($this->subjects->current(), $result->toResponse($app->make('request'))) : $result;
    }

    private function stream(Subject $subject, StreamedResponse $response): StreamedResponse
    {
        $callback = Closure::bind(static fn (StreamedResponse $of): mixed => $of->callback ?? null, null, StreamedResponse::class)($response);
        if (\is_callable($callback)) {
            $response->setCallback($this->bound($subject, $callback));
        }

        return $response;
    }

    private function lazy(Subject $subject, LazyCollection $items): LazyCollection
    {
        return $items::make(fn (): Generator => $this->steps($subject, $items->getIterator()));
    }

    /** Acts only while the next item is made: between two items the reader's own subject applies. */
    private function steps(Subject $subject, Iterator $items): Generator
    {
        $step = function (Closure $do) use ($subject): mixed {
            $acting = $this->subjects->begin($subject);
            try {
                return $do();
            } finally {
                $this->subjects->end($acting);
            }
        };
        $step(static fn () => $items->rewind());
        while ($step(static fn (): bool => $items->valid())) {
            $key = $step(static fn (): mixed => $items->key());
            $sent = yield $key => $step(static fn (): mixed => $items->current());
            $step(static fn (): mixed => $sent !== null && $items instanceof Generator ? $items->send($sent) : $items->next());
        }

        return $items instanceof Generator ? $items->getReturn() : null;
    }

    /** Number of callbacks that wait for the end of the request. */
    public static function waiting(): int
    {
        return \count(self::terminating());
    }

    /** Number of deferred functions that wait for it: Laravel 11 and later. */
    public static function deferred(): int
    {
        return \count(self::deferrals());
    }

    /** @return array<int, int> number of callbacks that wait for the commit, by the transaction's object id */
    public static function afterCommit(): array
    {
        return \array_map(static fn (object $record): int => \count($record->getCallbacks()), self::transactions());
    }

    /**
     * Binds callbacks that were registered since the closure began: dispatchAfterResponse(), terminating(), defer(),
     * DB::afterCommit(). One that an inner closure has already bound stays with that closure's subject.
     */
    public function bind(Acting $acting): void
    {
        foreach (self::transactions() as $id => $record) {
            $callbacks = $record->getCallbacks();
            $new = \array_slice($callbacks, $acting->afterCommit[$id] ?? 0, null, true);
            if ($new !== []) {
                $bound = \array_map(fn (callable $callback): Closure => $this->bound($acting->subject, $callback), $new) + $callbacks;
                \ksort($bound);
                Closure::bind(static function () use ($record, $bound): void {
                    $record->callbacks = $bound;
                }, null, DatabaseTransactionRecord::class)();
            }
        }
        $app = Container::getInstance();
        $waiting = self::terminating();
        $new = \array_slice($waiting, $acting->waiting, null, true);
        foreach ($new as $index => $callback) {
            $waiting[$index] = fn (): mixed => $this->subjects->acting($acting->subject, static fn (): mixed => $app->call($callback));
        }
        if ($new !== []) {
            Closure::bind(static function (object $app) use ($waiting): void {
                $app->terminatingCallbacks = $waiting;
            }, null, Application::class)($app);
        }
        foreach (\array_slice(self::deferrals(), $acting->deferred) as $deferral) {
            $callback = \is_object($deferral) ? $deferral->callback ?? null : null;
            if (\is_callable($callback)) {
                $deferral->callback = $this->bound($acting->subject, $callback);
            }
        }
    }

    /** A callback that acts for the subject. */
    private function bound(Subject $subject, callable $callback): Closure
    {
        return fn (mixed ...$arguments): mixed => $this->subjects->acting($subject, static fn (): mixed => $callback(...$arguments));
    }

    /** @return array<int, mixed> */
    private static function terminating(): array
    {
        $app = Container::getInstance();
        self::$terminating ??= Closure::bind(static fn (object $app): array => $app->terminatingCallbacks ?? [], null, Application::class);

        return $app instanceof Application ? \array_values((self::$terminating)($app)) : [];
    }

    /** @return array<int, DatabaseTransactionRecord> the open transactions, by object id */
    private static function transactions(): array
    {
        $app = Container::getInstance();
        $manager = $app->resolved('db.transactions') ? $app->make('db.transactions') : null;
        if (!$manager instanceof DatabaseTransactionsManager) {
            return [];
        }
        // Laravel 8 to 10 has one list of transactions, later versions several.
        $lists = Closure::bind(static fn (object $of): array => \get_object_vars($of), null, DatabaseTransactionsManager::class)($manager);
        $records = [];
        foreach ($lists as $list) {
            foreach (\is_iterable($list) ? $list : [] as $record) {
                if ($record instanceof DatabaseTransactionRecord) {
                    $records[\spl_object_id($record)] = $record;
                }
            }
        }

        return $records;
    }

    /** @return list<mixed> */
    private static function deferrals(): array
    {
        $app = Container::getInstance();
        if (!$app->resolved(self::DEFERRED)) {
            return [];
        }
        $read = Closure::bind(static fn (object $of): array => $of->callbacks ?? [], null, self::DEFERRED);

        return \array_values($read($app->make(self::DEFERRED)));
    }
}
