<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Json;
use Flagstone\Laravel\Changes\Result;
use Flagstone\Laravel\Changes\State;
use Flagstone\Laravel\Exceptions\UnknownFlag;
use RuntimeException;

final class ShowCommand extends FlagCommand
{
    protected $signature = 'feature:show
        {flag : The flag\'s key}
        {--json : Print JSON}';

    protected $description = 'Show all that one flag says';

    public function handle(Changer $changer): int
    {
        if (!$changer->isFile()) {
            return $this->relay($changer, ['show', '--', $this->flag()]);
        }
        try {
            $flags = $changer->flags();
            $flag = $flags[$this->flag()] ?? throw UnknownFlag::named($this->flag(), \array_map(strval(...), \array_keys($flags)));
        } catch (UnknownFlag | RuntimeException $error) {
            return $this->finish(Result::unknown($error->getMessage()));
        }
        if ($this->isJson()) {
            $this->json([
                'environment' => $changer->environment(), 'flag' => $this->flag(), 'state' => State::of($flag),
                'definition' => $flag,
            ]);
        } else {
            $this->line("{$this->flag()}  " . State::of($flag));
            $this->line(Json::text($flag, '', 1));
        }

        return 0;
    }
}
