<?php
// phpredis with its defaults. Exits with 77 if it is not installed.
if (!class_exists('Redis')) {
    echo "PHP has no extension redis\n";
    exit(77);
}
$key = 'clients:phpredis';
$calls = $errors = $acknowledged = $unsure = 0;
$clients = [];
for ($at = 0; $at < 4; $at += 1) {
    $clients[$at] = new Redis();
    $clients[$at]->connect('127.0.0.1', (int) $argv[1]);
}
$client = $clients[0];
$client->del($key);

function attempt(int $count, callable $act): void
{
    global $calls, $errors, $acknowledged, $unsure;
    $calls += max($count, 1);
    try {
        if ($act() === false) {
            throw new Exception('false');
        }
        $acknowledged += $count;
    } catch (Throwable $error) {
        $errors += 1;
        $unsure += $count;
        echo 'error ', $error->getMessage(), "\n";
    }
}

function many(int $mode): bool
{
    global $client, $key;
    $multi = $client->multi($mode);
    for ($call = 0; $call < 10; $call += 1) {
        $multi->incr($key);
    }
    $replies = $multi->exec();
    return $replies === range($replies[0], $replies[0] + 9);
}

stream_set_blocking(STDIN, false);
while (fgets(STDIN) === false) {
    for ($call = 0; $call < 10; $call += 1) {
        attempt(1, fn () => $client->incr($key));
    }
    attempt(10, fn () => many(Redis::PIPELINE));
    attempt(10, fn () => many(Redis::MULTI));
    attempt(0, fn () => $client->set("$key:value", "v$calls", 100) && $client->get("$key:value") === "v$calls");
    for ($call = 0; $call < 20; $call += 1) {
        attempt(1, fn () => $clients[$call % 4]->incr($key));
    }
    echo "round\n";
}
$found = (int) $client->get($key);
$errors += $found > $acknowledged + $unsure ? 1 : 0;
echo json_encode(['calls' => $calls, 'errors' => $errors, 'lost' => max(0, $acknowledged - $found)]), "\n";
