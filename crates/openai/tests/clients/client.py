"""OpenAI's Python client against the API on its fake backend. Started by tests/api/clients.rs."""

import os
import urllib.request

import openai

URL = os.environ["LULL_OPENAI_URL"]


def client_of(key, max_retries=0):
    return openai.OpenAI(base_url=f"{URL}/v1", api_key=key, max_retries=max_retries, timeout=30)


client = client_of("lull_fake")
messages = [{"role": "developer", "content": "Repeat."}, {"role": "user", "content": "one two three"}]


def until_closed():
    """Waits until the backend is not waited for by anyone."""
    # A proxy of the environment has nothing to do with this machine's own addresses.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert opener.open(f"{URL}/until_closed", timeout=30).read() == b"closed"


def raises(kind, call):
    try:
        call()
    except openai.APIError as error:
        assert type(error) is kind, f"{type(error)} was raised: {error}"
        return error
    raise AssertionError(f"{kind} was not raised")


def chat(**more):
    return client.chat.completions.create(**{"model": "fake/repeats", "messages": messages, **more})


def test_chat():
    answer = chat(seed=5, temperature=0.5, user="someone")
    assert answer.id.startswith("chatcmpl-") and answer.object == "chat.completion"
    assert answer.choices[0].message.content == "one two three"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.system_fingerprint == "fp_fake"
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (4, 3, 7)
    assert usage.prompt_tokens_details.cached_tokens == 2
    assert answer.lull == {"price": 10, "seed": 5}
    assert answer._request_id.startswith("req_")


def test_chat_with_raw_response():
    raw = client.chat.completions.with_raw_response.create(model="fake/repeats", messages=messages)
    assert int(raw.headers["x-ratelimit-remaining-requests"]) > 0
    assert raw.parse().choices[0].message.content == "one two three"


def test_several_answers_and_bounds():
    answer = chat(n=2, max_completion_tokens=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert {choice.message.content for choice in answer.choices} == {"one two "}
    assert {choice.finish_reason for choice in answer.choices} == {"length"}
    assert chat(stop=["three", "two"]).choices[0].message.content == "one "
    assert chat(stop="two").choices[0].finish_reason == "stop"


def test_logprobs():
    tokens = chat(logprobs=True).choices[0].logprobs.content
    assert [(token.token, token.logprob) for token in tokens] == [("one ", -0.5), ("two ", -1), ("three", -1.5)]
    assert bytes(tokens[0].bytes) == b"one "
    completion = client.completions.create(model="fake/repeats", prompt="one two", logprobs=0)
    assert completion.choices[0].logprobs.text_offset == [0, 4]


def test_stream():
    chunks = list(chat(stream=True, n=2))
    assert chunks[0].choices[0].delta.role == "assistant"
    for index in range(2):
        of_this = [chunk.choices[0] for chunk in chunks if chunk.choices[0].index == index]
        assert "".join(choice.delta.content or "" for choice in of_this) == "one two three"
        assert of_this[-1].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].lull["price"] == 20


def test_stream_with_usage():
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 7
    assert chunks[-1].lull["price"] == 10
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_stream_helper():
    with client.chat.completions.stream(model="fake/repeats", messages=messages) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == "one two three"


def test_completions():
    answer = client.completions.create(model="fake/repeats", prompt=["a b", "c d"], stop="b")
    assert answer.id.startswith("cmpl-") and answer.object == "text_completion"
    assert [(choice.index, choice.text) for choice in answer.choices] == [(0, "a "), (1, "c d")]
    chunks = client.completions.create(model="fake/repeats", prompt=[5, 6], stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "5 6"


def test_embeddings():
    answer = client.embeddings.create(model="fake/embeds", input=["a", "b b"])
    assert answer.data[0].embedding == [0, 1, 0, 0, 0, 0, 0, 0]
    assert [vector.index for vector in answer.data] == [0, 1]
    assert answer.usage.prompt_tokens == 3 and answer.lull == {"price": 3}
    same = client.embeddings.create(model="fake/embeds", input=["a", "b b"], encoding_format="float")
    assert same.data == answer.data
    assert client.embeddings.create(model="fake/embeds", input=[[1, 2]]).usage.total_tokens == 2


def test_models():
    models = {model.id: model for model in client.models.list()}
    assert models["fake/repeats"].owned_by == "fake network"
    assert client.models.retrieve("fake/repeats").lull["price_per_1000_prompt_tokens"] == 1000


def test_errors_are_typed():
    error = raises(openai.BadRequestError, lambda: chat(tools=[{"type": "function", "function": {"name": "f"}}]))
    assert (error.code, error.param, error.type) == ("unsupported_parameter", "tools", "invalid_request_error")
    raises(openai.BadRequestError, lambda: chat(temperature=3))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
    error = raises(openai.BadRequestError, lambda: chat(messages=[{"role": "user", "content": [image]}]))
    assert error.param == "messages[0].content[0].type"
    error = raises(openai.NotFoundError, lambda: chat(model="gpt-4"))
    assert error.code == "model_not_found" and error.request_id.startswith("req_")
    raises(openai.NotFoundError, lambda: client.models.retrieve("gpt-4"))
    raises(openai.AuthenticationError, lambda: client_of("lull_wrong").models.list())
    error = raises(openai.InternalServerError, lambda: chat(model="fake/busy"))
    assert error.status_code == 503 and error.response.headers["retry-after"] == "3"


def test_refusals_reach_a_client_that_is_still_sending():
    long = [{"role": "user", "content": "x" * 9_000_000}]
    error = raises(openai.APIStatusError, lambda: chat(messages=long))
    assert error.status_code == 413
    wrong = client_of("lull_wrong")
    raises(openai.AuthenticationError, lambda: wrong.chat.completions.create(model="fake/repeats", messages=long))


def test_no_money_is_not_tried_again():
    poor = client_of("lull_fake_poor", max_retries=5)
    error = raises(
        openai.RateLimitError, lambda: poor.chat.completions.create(model="fake/repeats", messages=messages)
    )
    assert error.code == "insufficient_quota" and error.type == "insufficient_quota"
    assert error.response.headers["x-should-retry"] == "false"
    assert error.response.request.headers["x-stainless-retry-count"] == "0"


def test_rate_limits():
    def ask(client):
        return client.chat.completions.create(model="fake/repeats", messages=messages, max_tokens=2)

    few = client_of("lull_fake_slow")

    def until_refused():
        for _ in range(200):
            ask(few)

    error = raises(openai.RateLimitError, until_refused)
    assert error.code == "rate_limit_exceeded" and error.type == "requests"
    assert error.response.headers["retry-after"] == "1"
    assert 0 < int(error.response.headers["retry-after-ms"]) <= 1000
    # One that tries again does so when it was told to, and is answered.
    assert ask(client_of("lull_fake_slow", max_retries=1)).choices[0].message.content == "one two "


def test_a_stream_that_breaks():
    read = []
    error = raises(openai.APIError, lambda: read.extend(chat(stream=True, model="fake/breaks")))
    assert [chunk.choices[0].delta.content for chunk in read] == ["", "one "]
    assert error.code == "worker_lost" and error.type == "server_error"


def test_a_stream_that_is_cancelled():
    stream = chat(stream=True, model="fake/stalls")
    for chunk in stream:
        if chunk.choices[0].delta.content == "one ":
            break
    stream.close()
    until_closed()


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name, flush=True)
print("all of it holds, with openai", openai.__version__)
