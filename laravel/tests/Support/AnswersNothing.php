<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests\Support;

use Flagstone\Laravel\Contracts\Driver;

/** Answers as where there are no definitions. */
final class AnswersNothing extends PassesOn
{
    public function __construct(Driver $driver, private readonly string $error)
    {
        parent::__construct($driver);
    }

    public function enabled(string $flag, int|string|null $company = null, array $context = []): bool
    {
        return false;
    }

    public function possible(string $flag): bool
    {
        return false;
    }

    public function explain(string $flag, int|string|null $company = null, array $context = []): array
    {
        return ['flag' => $flag, 'enabled' => false, 'reason' => 'no_snapshot'] + parent::explain($flag, $company, $context);
    }

    public function status(): array
    {
        return ['source' => 'none', 'last_error' => $this->error] + parent::status();
    }
}
