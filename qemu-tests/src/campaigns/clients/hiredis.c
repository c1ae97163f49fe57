/* hiredis with its defaults. */
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "clients:hiredis"
#define CLIENTS 4

static redisContext *clients[CLIENTS];
static long long calls, errors, acknowledged, unsure;

/* Counts a reply, which has to be an integer if `number` is null or is set to it. */
static int take(redisReply *reply, int type, long long *number)
{
	int is_right = reply && reply->type == type;

	if (is_right && number)
		*number = reply->integer;
	if (!is_right)
		printf("error %s\n", reply ? reply->str : clients[0]->errstr);
	if (reply)
		freeReplyObject(reply);
	return is_right;
}

static void count(int is_right, int increases)
{
	calls += increases ? increases : 1;
	errors += !is_right;
	acknowledged += is_right ? increases : 0;
	unsure += is_right ? 0 : increases;
}

static void increase(redisContext *client)
{
	count(take(redisCommand(client, "INCR " KEY), REDIS_REPLY_INTEGER, NULL), 1);
}

static void pipeline(void)
{
	int is_right = 1;

	for (int at = 0; at < 10; at++)
		redisAppendCommand(clients[0], "INCR " KEY);
	for (int at = 0; at < 10; at++) {
		void *reply = NULL;

		redisGetReply(clients[0], &reply);
		is_right &= take(reply, REDIS_REPLY_INTEGER, NULL);
	}
	count(is_right, 10);
}

static void transaction(void)
{
	int is_right = take(redisCommand(clients[0], "MULTI"), REDIS_REPLY_STATUS, NULL);
	redisReply *reply;

	for (int at = 0; at < 10; at++)
		is_right &= take(redisCommand(clients[0], "INCR " KEY), REDIS_REPLY_STATUS, NULL);
	reply = redisCommand(clients[0], "EXEC");
	is_right &= reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 10;
	take(reply, REDIS_REPLY_ARRAY, NULL);
	count(is_right, 10);
}

static void store(void)
{
	char value[32];
	redisReply *reply;
	int is_right;

	snprintf(value, sizeof(value), "v%lld", calls);
	is_right = take(redisCommand(clients[0], "SET %s %s EX 100", KEY ":value", value), REDIS_REPLY_STATUS, NULL);
	reply = redisCommand(clients[0], "GET %s", KEY ":value");
	is_right &= reply && reply->type == REDIS_REPLY_STRING && !strcmp(reply->str, value);
	take(reply, REDIS_REPLY_STRING, NULL);
	count(is_right, 0);
}

int main(int argc, char **argv)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	long long found = 0;
	redisReply *reply;

	for (int at = 0; at < CLIENTS; at++) {
		clients[at] = redisConnect("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0);
		if (!clients[at] || clients[at]->err)
			return 1;
	}
	take(redisCommand(clients[0], "DEL " KEY), REDIS_REPLY_INTEGER, NULL);
	while (!poll(&input, 1, 0)) {
		for (int at = 0; at < 10; at++)
			increase(clients[0]);
		pipeline();
		transaction();
		store();
		for (int at = 0; at < 20; at++)
			increase(clients[at % CLIENTS]);
		puts("round");
		fflush(stdout);
	}
	reply = redisCommand(clients[0], "GET " KEY);
	if (reply && reply->type == REDIS_REPLY_STRING)
		found = atoll(reply->str);
	errors += found > acknowledged + unsure;
	printf("{\"calls\":%lld,\"errors\":%lld,\"lost\":%lld}\n", calls, errors,
	       acknowledged > found ? acknowledged - found : 0);
	return 0;
}
