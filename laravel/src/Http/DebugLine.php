<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Http;

use Flagstone\Laravel\Contracts\Driver;
use Flagstone\Laravel\Flagstone;
use Illuminate\Foundation\Http\Events\RequestHandled;
use Illuminate\Http\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

/**
 * Shows the reason of a refused page if APP_DEBUG is on: in the exception's message, in a header, and in one line of HTML.
 *
 * @phpstan-import-type Explanation from Driver
 */
final class DebugLine
{
    private const HEADER = 'X-Flagstone';

    public function __construct(private readonly Flagstone $flagstone)
    {
    }

    /** @param list<string> $flags in the route's notation */
    public function exception(Request $request, array $flags): NotFoundHttpException
    {
        $line = $this->line($flags);

        return new NotFoundHttpException($line, null, 0, [self::HEADER => $line]);
    }

    /**
     * Marks a page that another route answers with.
     *
     * @param list<string> $flags in the refused route's notation
     */
    public function mark(Request $request, Response $response, array $flags): void
    {
        $response->headers->set(self::HEADER, $this->line($flags));
    }

    /** Adds the line to a page. */
    public function handle(RequestHandled $event): void
    {
        $response = $event->response;
        $line = $response->headers->get(self::HEADER);
        if ($line === null || !\str_contains((string) $response->headers->get('Content-Type', 'text/html'), 'html')) {
            return;
        }
        $paragraph = '<p style="text-align:center;font-family:monospace">Flagstone: ' . \e($line) . '</p>';
        $page = (string) $response->getContent();
        $end = \strripos($page, '</body>');
        $response->setContent($end === false ? $page . $paragraph : \substr_replace($page, $paragraph, $end, 0));
    }

    /**
     * Every flag that is off, with its reason; one line of ASCII.
     *
     * @param list<string> $flags
     */
    private function line(array $flags): string
    {
        $off = [];
        foreach (\explode('|', \implode('|', $flags)) as $flag) {
            $answer = $this->flagstone->explain($flag);
            if (!$answer['enabled']) {
                $off[] = self::sentence($answer);
            }
        }
        $line = \implode('; ', $off);

        return (string) \preg_replace('/[^\x20-\x7e]/', '?', $line);
    }

    /** @param Explanation $answer */
    private static function sentence(array $answer): string
    {
        $whom = $answer['company'] === null ? 'no company' : 'company ' . $answer['company'];
        $sentence = "{$answer['flag']} is off for $whom: {$answer['reason']}";
        if ($answer['bucket'] !== null) {
            $sentence .= ', bucket ' . \number_format($answer['bucket']) . ' of 100,000';
        }
        if ($answer['percentage'] !== null) {
            $sentence .= ', ' . $answer['percentage'] . ' %';
        }
        // Another driver's answer may lack the key.
        foreach ($answer['unknown'] ?? [] as $unknown) {
            $sentence .= ", {$unknown['attribute']} is {$unknown['type']}, expected {$unknown['expected']}";
        }

        return $sentence;
    }
}
