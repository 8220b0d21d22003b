<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Tests\Support\Store;
use PHPUnit\Framework\Attributes\DataProvider;

/**
 * The same as AbsentPathTest, byte by byte as PHP's own server sends it: status line and header lines in their case.
 */
final class AbsentPathWireTest extends TestCase
{
    /** @return iterable<string, array{string, bool}> */
    public static function applications(): iterable
    {
        foreach (['no fallback', 'a fallback', 'a catch-all with web'] as $kind) {
            yield $kind => [$kind, false];
            yield "$kind, hidden" => [$kind, true];
        }
    }

    /** @dataProvider applications */
    #[DataProvider('applications')]
    public function test_a_hidden_path_is_sent_as_an_absent_one(string $kind, bool $hides): void
    {
        $this->publish([
            'pilot' => ['enabled' => true, 'rollout' => ['percentage' => 0], 'companies' => ['allow' => [15]]],
            'nobody' => false,
        ]);
        [$port, $server] = $this->serve($kind, $hides);
        try {
            $login = $this->ask($port, 'GET', '/login/16', '', 'text/html');
            self::assertStringEndsWith("\r\n\r\nin", $login);
            self::assertSame(1, \preg_match('/^Set-Cookie: (session=[^;]+)/im', $login, $cookie));
            $wrong = [];
            foreach (['/plain', '/pilot', '/never', '/reads'] as $path) {
                foreach (['GET', 'POST'] as $verb) {
                    // A router without HideFeatures tells a path by its verbs.
                    if ($verb === 'POST' && $path === '/reads' && !$hides) {
                        continue;
                    }
                    foreach (['text/html', 'application/json'] as $accept) {
                        $absent = '/' . \str_repeat('x', \strlen($path) - 1);
                        $expected = $this->sent($this->ask($port, $verb, $absent, $cookie[1], $accept), $absent, $hides);
                        $actual = $this->sent($this->ask($port, $verb, $path, $cookie[1], $accept), $path, $hides);
                        if ($expected !== $actual) {
                            $wrong["$verb $path $accept"] = [$expected, $actual];
                        }
                    }
                }
            }
            self::assertSame([], $wrong);
        } finally {
            \proc_terminate($server);
            \proc_close($server);
        }
    }

    /** @return array{int, resource} its port and the process */
    private function serve(string $kind, bool $hides): array
    {
        for ($attempt = 0; $attempt < 5; ++$attempt) {
            $free = \stream_socket_server('tcp://127.0.0.1:0');
            $port = (int) \substr((string) \strrchr((string) \stream_socket_get_name($free, false), ':'), 1);
            \fclose($free);
            $environment = ['WIRE_KIND' => $kind, 'WIRE_HIDES' => $hides ? '1' : '0', 'WIRE_STORE' => Store::path()] + \getenv();
            $log = Store::directory() . "/wire-$port.log";
            $server = \proc_open(
                [\PHP_BINARY, '-S', "127.0.0.1:$port", __DIR__ . '/Support/wire.php'],
                [['file', '/dev/null', 'r'], ['file', $log, 'a'], ['file', $log, 'a']],
                $pipes,
                null,
                $environment,
            );
            for ($wait = 0; $wait < 200 && \proc_get_status($server)['running']; ++$wait) {
                $reached = @\fsockopen('127.0.0.1', $port, $code, $message, 1);
                if ($reached !== false) {
                    \fclose($reached);

                    return [$port, $server];
                }
                \usleep(50_000);
            }
            \proc_terminate($server);
            \proc_close($server);
        }
        self::fail('PHP\'s server does not start: ' . \file_get_contents($log));
    }

    private function ask(int $port, string $verb, string $path, string $cookie, string $accept): string
    {
        $connection = \fsockopen('127.0.0.1', $port, $code, $message, 30);
        $cookie = $cookie === '' ? '' : "Cookie: $cookie\r\n";
        \fwrite($connection, "$verb $path HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: $accept\r\n{$cookie}Content-Length: 0\r\nConnection: close\r\n\r\n");
        $answer = (string) \stream_get_contents($connection);
        \fclose($connection);

        return $answer;
    }

    /** Without what differs from one request to the next; a session's cookies have random content, and are hidden by HideFeatures. */
    private function sent(string $answer, string $path, bool $hides): string
    {
        [$head, $body] = \explode("\r\n\r\n", $answer, 2) + [1 => ''];
        $head = (string) \preg_replace('/^Date:.*\r\n/mi', '', "$head\r\n");
        $head = (string) \preg_replace($hides ? '/^(Set-Cookie: [^=]+)=.*$/mi' : '/^(Set-Cookie): .*\r\n/mi', $hides ? '$1' : '', $head);
        $lines = \explode("\r\n", $head);
        $first = \array_shift($lines);
        \sort($lines);

        return "$first\n" . \implode("\n", $lines) . "\n" . \str_replace([\ltrim($path, '/'), \addcslashes(\ltrim($path, '/'), '/')], 'path', $body);
    }
}
