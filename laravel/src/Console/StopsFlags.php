<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Console;

use Flagstone\Laravel\Changes\Changer;
use Flagstone\Laravel\Changes\Result;
use Symfony\Component\Console\Exception\ExceptionInterface;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Commands for an emergency: where nothing could be done, the last line says so in capitals, as that of `flagstone` does, and one that was
 * not understood exits with 2.
 *
 * @internal
 */
trait StopsFlags
{
    private string $nothing = 'NOTHING WAS STOPPED';

    public function run(InputInterface $input, OutputInterface $output): int
    {
        try {
            return parent::run($input, $output);
        } catch (ExceptionInterface $problem) {
            self::errors($output)->writeln([$problem->getMessage(), '', "$this->nothing: the command was not understood"], OutputInterface::OUTPUT_RAW);

            return Result::UNKNOWN;
        }
    }

    /** Says which store the command acts on, before it does. */
    private function nameStore(Changer $changer): void
    {
        if (!$this->isJson() && !$changer->isFile()) {
            $this->raw("store: {$changer->directory()}");
        }
    }

    protected function misunderstood(string $problem): int
    {
        $this->nothing .= ': the command was not understood';

        return $this->finish(Result::unknown($problem));
    }

    protected function finish(Result $result): int
    {
        return parent::finish($result->ran ? $result : new Result($result->code, '', "$result->error\n\n$this->nothing"));
    }
}
