<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Result;
use Symfony\Component\Console\Exception\ExceptionInterface;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Commands for an emergency: one that was not understood says so in capitals, and exits with 2, as those of `flagstone` do.
 *
 * @internal
 */
trait StopsFlags
{
    private string $nothing = 'NOTHING WAS STOPPED: the command was not understood';

    public function run(InputInterface $input, OutputInterface $output): int
    {
        try {
            return parent::run($input, $output);
        } catch (ExceptionInterface $problem) {
            self::errors($output)->writeln([$problem->getMessage(), '', $this->nothing], OutputInterface::OUTPUT_RAW);

            return Result::UNKNOWN;
        }
    }

    protected function misunderstood(string $problem): int
    {
        return $this->finish(Result::unknown("$problem\n\n$this->nothing"));
    }
}
