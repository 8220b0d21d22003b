<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Changes\Trail;
use Flagstone\Laravel\Notifications\Endpoint;
use Flagstone\Laravel\Notifications\Endpoints;
use Flagstone\Laravel\Notifications\Sender;
use RuntimeException;

/**
 * For Laravel's scheduler: reports changes of the store's flags to the application's listeners, by mail and to Slack. Exit code 0:
 * all are told; 1: at least one is not, and is tried again; 2: could not tell.
 */
final class AnnounceCommand extends FlagCommand
{
    protected $signature = 'feature:announce
        {--only=* : This endpoint: events, mail or slack}
        {--now : Also what failed and is to be tried again later}
        {--status : Tell nobody; say how far each is}
        {--json : Print JSON}';

    protected $description = 'Tell listeners, mail and Slack of each change of flags since the last time';

    public function handle(Sender $sender, Endpoints $endpoints, Changer $changer): int
    {
        $all = $endpoints->all();
        $names = \array_map(static fn (Endpoint $endpoint): string => $endpoint->name, $all);
        $only = $this->listed($this->option('only'));
        $unknown = \array_diff($only, $names);
        if ($unknown !== []) {
            return $this->refuse('there is no endpoint "' . \implode('", "', $unknown) . '", there are ' . \implode(', ', $names)
                . ' (config/flagstone.php, notify)');
        }
        $trail = new Trail($changer->directory() ?? '');
        $rows = [];
        foreach ($all as $endpoint) {
            if ($only !== [] && !\in_array($endpoint->name, $only, true)) {
                continue;
            }
            try {
                $told = $this->option('status') ? 0 : $sender->send($endpoint, $trail, (bool) $this->option('now'));
                $place = $sender->place($endpoint, $trail);
            } catch (RuntimeException $problem) {
                return $this->finish(Result::unknown($problem->getMessage()));
            }
            $rows[] = [
                'endpoint' => $endpoint->name, 'told' => $told, 'seq' => $place->seq, 'error' => $place->error,
                'failures' => $place->failures, 'retry_at' => $place->retryAt === 0 ? null : $place->retryAt,
                'given_up' => $place->givenUp,
            ];
        }
        $failing = \array_filter($rows, static fn (array $row): bool => $row['error'] !== null);
        if ($this->isJson()) {
            $this->json(['endpoints' => $rows]);
        } else {
            foreach ($rows as $row) {
                $this->tell($row);
            }
        }

        return $failing === [] ? Result::DONE : Result::REFUSED;
    }

    /** @param array{endpoint: string, told: ?int, seq: ?int, error: ?string, failures: int, retry_at: ?int, given_up: list<array{id: string, error: string}>} $row */
    private function tell(array $row): void
    {
        $done = match (true) {
            $row['told'] === null => 'another process is at it',
            $row['seq'] === null => 'told nothing yet; it begins with what happens after the first run',
            (bool) $this->option('status') => "told up to record {$row['seq']} of the audit trail",
            default => "told of {$row['told']}",
        };
        $this->raw("{$row['endpoint']}: $done");
        if ($row['error'] !== null) {
            $when = \gmdate('H:i:s', $row['retry_at'] ?? 0);
            $this->raw("  the next one failed ({$row['failures']}), to be tried again after $when UTC: {$row['error']}");
        }
        foreach ($row['given_up'] as $one) {
            $this->raw("  given up: {$one['id']}: {$one['error']}");
        }
    }
}
