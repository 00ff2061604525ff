"""The one call to a model, and what surrounds it: limits, retries, batches, kept replies, progress, manifests.

For the scripts and the other rooms:

calls          chat_completion: the only place that waits, retries and limits
embeddings     vectors of texts, by the same call
models         a model ready to be called, its endpoints, the clock of a record
providers      an adapter for each api_type, which never sleeps, retries, prints or reads files
record_run     a run: records asked for side by side, written as they come
job_queue      many jobs side by side
selection      the flags that choose what to run
batch          the mailbox of --batch
manifest       what a run leaves beside its records
context        whether prompts and replies fit into a model's context
context_check  the same, asked of its server before a run and learnt from refusals
prompt_tokens  the tokens of a prompt, counted
prompt_sizes   how that count compares with the server's
probe          five questions that tell whether a model is still the same
run_tally      what a run did for a record file, counted and said
origins        where records came from, as a manifest says it
progress       the progress line
spending       each request's cost, told to whoever keeps the account
local_server   a server for the time of a run (`serve:`)

Inside:

asking         a live call on its way through its tries
form_probes    one request that tries a form for all
doubts         what a server may not take, told by failures alone
time_limits    a limit in time for what is waited for
waiting_line   who waits for a slot of a model's endpoints
looks          what a run asks of servers beside its calls, each once
trust          which endpoints may be asked for much at once
gate           the limits of an endpoint: what may go to it now
opening        how many requests go before its first reply
width          how many it takes at once
rate_limits    how fast it may be asked
reading        what came → an answer: thoughts, replies that broke off
reply_notes    what is remarkable of replies, counted
kept_replies   replies of records that are not finished
redo           a --redo that is broken off and goes on
killed_runs    what a run that was killed wrote
stored_requests  requests on disk, without the keys that they are sent with
patience       a batch interface asked until it answers
open_batches   the folders of mailboxes: what was begun and not collected, what came and was not read
posting        the mailbox of a model in a run
made_anew      which of its replies count for records that are made anew
batch_sizes    how many requests make a batch
listeners      whether what listens at an address is the server of this run
process_guard  stops a local server with its run, and all that it started
"""
