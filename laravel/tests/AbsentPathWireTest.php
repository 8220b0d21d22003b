<?php

declare(strict_types=1);

namespace Flagstone\Laravel\Tests;

use Flagstone\Laravel\Tests\Support\Store;
use PHPUnit\Framework\Attributes\DataProvider;

/**
 * The same as AbsentPathTest, byte by byte as it is sent: status line, and header lines in their case and order. By PHP's own server;
 * with FLAGSTONE_WIRE_FPM=1, as in `make test-laravel-e2e`, by nginx and php-fpm.
 */
final class AbsentPathWireTest extends TestCase
{
    /** @return iterable<string, array{string, bool}> */
    public static function applications(): iterable
    {
        foreach (['no fallback', 'a fallback', 'a fallback with web', 'a catch-all with web'] as $kind) {
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
        [$port, $servers] = $this->serve($kind, $hides);
        try {
            $login = $this->ask($port, 'GET', '/login/16', '', 'text/html');
            self::assertMatchesRegularExpression('/\r\n\r\n(2\r\n)?in(\r|$)/', $login);
            self::assertSame(1, \preg_match('/^Set-Cookie: (session=[^;]+)/im', $login, $cookie));
            $wrong = [];
            $asked = 0;
            foreach (['/plain', '/pilot', '/never', '/reads'] as $path) {
                foreach (['GET', 'HEAD', 'POST', 'OPTIONS', ...($path === '/pilot' ? ['DELETE'] : [])] as $verb) {
                    // A router without HideFeatures tells a path by its verbs.
                    if (!$hides && ($verb === 'OPTIONS' || $path === '/reads' && !\in_array($verb, ['GET', 'HEAD'], true))) {
                        continue;
                    }
                    foreach ($verb === 'GET' ? ['text/html', 'application/json'] : ['text/html'] as $accept) {
                        $absent = '/' . \str_repeat('x', \strlen($path) - 1);
                        $expected = $this->sent($this->ask($port, $verb, $absent, $cookie[1], $accept), $absent, $hides);
                        $actual = $this->sent($this->ask($port, $verb, $path, $cookie[1], $accept), $path, $hides);
                        if ($expected !== $actual) {
                            $wrong["$verb $path $accept"] = [$expected, $actual];
                        }
                        $asked++;
                    }
                }
            }
            self::assertSame([], $wrong);
            self::assertGreaterThan(15, $asked);
            // Not the same because all is broken.
            $status = $kind === 'a catch-all with web' ? '200 OK' : '404 Not Found';
            self::assertStringContainsString($status, \explode("\r\n", $this->ask($port, 'GET', '/pilot', $cookie[1], 'text/html'))[0]);
            self::assertMatchesRegularExpression('/\r\n\r\n(2\r\n)?16(\r|$)/', $this->ask($port, 'GET', '/whoami', $cookie[1], 'text/html'));
        } finally {
            foreach ($servers as $server) {
                \proc_terminate($server);
                \proc_close($server);
            }
        }
    }

    /** @return array{int, list<resource>} the port, and the processes */
    private function serve(string $kind, bool $hides): array
    {
        $log = '';
        for ($attempt = 0; $attempt < 5; ++$attempt) {
            $free = \stream_socket_server('tcp://127.0.0.1:0');
            $port = (int) \substr((string) \strrchr((string) \stream_socket_get_name($free, false), ':'), 1);
            \fclose($free);
            $log = Store::directory() . "/wire-$port.log";
            $settings = ['WIRE_KIND' => $kind, 'WIRE_HIDES' => $hides ? '1' : '0', 'WIRE_STORE' => Store::path()];
            $commands = \getenv('FLAGSTONE_WIRE_FPM') === '1'
                ? $this->fpm($port, $settings)
                : [[\PHP_BINARY, '-S', "127.0.0.1:$port", __DIR__ . '/Support/wire.php']];
            $servers = [];
            foreach ($commands as $command) {
                $pipes = [];
                $servers[] = \proc_open($command, [['file', '/dev/null', 'r'], ['file', $log, 'a'], ['file', $log, 'a']], $pipes, null, $settings + \getenv());
            }
            for ($wait = 0; $wait < 200 && \proc_get_status($servers[0])['running']; ++$wait) {
                $reached = @\fsockopen('127.0.0.1', $port, $code, $message, 1);
                if ($reached !== false && (\count($commands) === 1 || \file_exists(Store::directory() . "/wire-$port.sock"))) {
                    \fclose($reached);

                    return [$port, $servers];
                }
                \usleep(50_000);
            }
            foreach ($servers as $server) {
                \proc_terminate($server);
                \proc_close($server);
            }
        }
        self::fail('the server does not start: ' . \file_get_contents($log));
    }

    /**
     * @param array<string, string> $settings
     * @return list<list<string>> the commands of both, in the foreground
     */
    private function fpm(int $port, array $settings): array
    {
        $place = Store::directory() . "/wire-$port";
        $isRoot = \posix_geteuid() === 0;
        \file_put_contents("$place-fpm.conf", "[global]\nerror_log = $place.log\n[wire]\nlisten = $place.sock\npm = static\npm.max_children = 1\nclear_env = no\n"
            . ($isRoot ? "user = root\ngroup = root\n" : ''));
        $parameters = ['SCRIPT_FILENAME' => __DIR__ . '/Support/wire.php', 'SCRIPT_NAME' => '/wire.php'] + $settings;
        $lines = \array_map(static fn (string $name, string $value): string => "fastcgi_param $name \"$value\";", \array_keys($parameters), $parameters);
        $places = \array_map(static fn (string $of): string => "{$of}_temp_path $place-$of;", ['client_body', 'fastcgi', 'proxy', 'scgi', 'uwsgi']);
        \file_put_contents("$place-nginx.conf", ($isRoot ? "user root;\n" : '') . "daemon off;\npid $place-nginx.pid;\nevents {}\nhttp {\naccess_log off;\n"
            . \implode("\n", $places) . "\nserver {\nlisten 127.0.0.1:$port;\nlocation / {\ninclude /etc/nginx/fastcgi_params;\n"
            . \implode("\n", $lines) . "\nfastcgi_pass unix:$place.sock;\n}\n}\n}\n");

        return [
            ['/usr/sbin/php-fpm8.2', '-F', ...($isRoot ? ['-R'] : []), '-y', "$place-fpm.conf"],
            ['/usr/sbin/nginx', '-c', "$place-nginx.conf", '-e', "$place.log"],
        ];
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

        return \implode("\n", $lines) . "\n" . \str_replace([\ltrim($path, '/'), \addcslashes(\ltrim($path, '/'), '/')], 'path', $body);
    }
}
