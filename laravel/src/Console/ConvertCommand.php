<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Json;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Import\ConfigSource;
use Flagstone\Laravel\Import\EnvSource;
use Flagstone\Laravel\Import\Importer;
use Flagstone\Laravel\Import\ImportResult;
use Flagstone\Laravel\Import\PennantSource;
use Flagstone\Laravel\Import\Pilots;
use Flagstone\Laravel\Import\Source;
use Flagstone\Laravel\Import\TablesSource;
use Flagstone\Laravel\Value;
use Illuminate\Database\QueryException;
use Illuminate\Foundation\Application;
use InvalidArgumentException;
use RuntimeException;
use stdClass;

/**
 * @phpstan-import-type Row from Importer
 */
final class ConvertCommand extends FlagCommand
{
    protected $signature = 'feature:convert
        {source : env, config, tables or pennant}
        {--dotenv= : Of env: another file than .env}
        {--lists=only : Of env and config: a switch lets in the listed companies "only", or these "also"}
        {--connection= : Of tables and pennant: the database}
        {--table= : Of tables and pennant: the flags\' table}
        {--overrides= : Of tables: the overrides\' table}
        {--company-class=* : Of pennant: a model, or its morph name, that is a company}
        {--skip : Leave out what cannot be taken over}
        {--force : Also change flags that flags.json has already}
        {--dry-run : Show what would come, and write nothing}
        {--json : Print JSON}';

    protected $description = 'Take over flags from .env, config/features.php, tables or Pennant into flags.json';

    public function handle(): int
    {
        try {
            $found = $this->source()->read();
            $importer = $this->laravel->make(Importer::class);
            [$document, $rows] = $importer->plan($found);
            $why = $this->refusal($found, $rows);
            if ($why === null && !$this->option('dry-run')) {
                $importer->write($document, $rows);
            }
        } catch (InvalidArgumentException $error) {
            return $this->refuse($error->getMessage());
        } catch (QueryException | RuntimeException $error) {
            return $this->finish(Result::unknown($error->getMessage()));
        }
        $this->show($found, $rows, $document, $why);

        return $why === null ? Result::DONE : Result::REFUSED;
    }

    private function source(): Source
    {
        $lists = $this->text('lists') ?? '';
        if (!\in_array($lists, Pilots::RULES, true)) {
            throw new InvalidArgumentException("--lists is \"$lists\", expected only or also");
        }
        $named = $this->text('dotenv');
        if ($named !== null && !@\is_file($named)) {
            throw new InvalidArgumentException("--dotenv is \"$named\", expected a .env file");
        }
        $config = $this->laravel->make('config');
        $source = $this->word('source') ?? '';
        $dotenv = $this->dotenv();

        return match ($source) {
            'env' => new EnvSource(
                $named ?? $dotenv,
                self::environment(),
                $dotenv,
                $lists,
            ),
            'config' => new ConfigSource($config->get('features'), $lists),
            'tables' => new TablesSource(
                $this->laravel->make('db')->connection($this->text('connection')),
                $this->text('table') ?? 'feature_flags',
                $this->text('overrides') ?? 'feature_flag_overrides',
            ),
            'pennant' => new PennantSource(
                $this->laravel->make('db')->connection($this->text('connection')),
                $this->text('table') ?? 'features',
                $this->companyClasses(),
            ),
            default => throw new InvalidArgumentException(
                "there is no source \"$source\", expected env, config, tables or pennant",
            ),
        };
    }

    private function dotenv(): string
    {
        return $this->laravel instanceof Application ? $this->laravel->environmentFilePath() : $this->laravel->basePath('.env');
    }

    /** @return array<string, string> */
    private static function environment(): array
    {
        $texts = [];
        foreach (\getenv() + $_SERVER + $_ENV as $name => $value) {
            if (\is_string($value)) {
                $texts[$name] = $value;
            }
        }

        return $texts;
    }

    /** @return list<string> */
    private function companyClasses(): array
    {
        $given = $this->listed($this->option('company-class'));
        $scopes = \array_map(strval(...), \array_keys($this->config()->map('pennant.scopes'), 'company', true));

        return $given !== [] ? $given : [...$scopes, 'App\Models\Company', 'company'];
    }

    /** @param list<Row> $rows */
    private function refusal(ImportResult $found, array $rows): ?string
    {
        $refused = \array_sum($found->refused);
        if ($refused > 0 && !$this->option('skip')) {
            return "$refused cannot be taken over; nothing was written. With --skip they are left out";
        }
        $over = \array_filter($rows, /** @param Row $row */ static fn (array $row): bool => $row['was'] !== null && $row['changes']);
        if ($over !== [] && !$this->option('force')) {
            $names = \implode(', ', \array_column($over, 'flag'));

            return "flags.json has flags that would change: $names; nothing was written. With --force they do";
        }

        return null;
    }

    /** @param list<Row> $rows */
    private function show(ImportResult $found, array $rows, stdClass $document, ?string $why): void
    {
        $flags = new stdClass();
        foreach ($rows as $row) {
            $flags->{$row['flag']} = Value::at($document, 'flags', $row['flag']);
        }
        $written = $why === null && !$this->option('dry-run');
        if ($this->isJson()) {
            $this->json([
                'written' => $written,
                'refused' => (object) $found->refused,
                'error' => $why,
                'rows' => $rows,
                'flags' => $flags,
            ]);

            return;
        }
        $this->table(['Flag', 'From', 'Was', 'Becomes', 'Note'], \array_map(
            /** @param Row $row */
            static fn (array $row): array => [
                $row['flag'], $row['from'], $row['was'] ?? 'new', $row['becomes'], \implode('; ', $row['notes']),
            ],
            $rows,
        ));
        foreach ($found->refused as $text => $times) {
            $this->line("not taken over: $text ($times)");
        }
        if ($this->option('dry-run')) {
            $this->line(Json::text($flags, '', 1));
        }
        $count = \count($rows) . (\count($rows) === 1 ? ' flag' : ' flags');
        $done = $written ? "$count written; publish with feature:publish" : "$count; nothing was written";
        $this->line($why ?? $done);
    }
}
