"""From a log of conversations to a benchmark: each step reads the table of the one before and can be resumed.

For the scripts and the other rooms:

settings       what config/build_bench_config.yaml may say
steps          what a step is, and what all steps of a run share
runner         runs the steps that are not up to date, or says which those are
build_steps    the steps in their order
parallel       a function over many pieces in several processes
tables         tables on disk, in parts
inputs         files of conversations: which format, and their rows
json_rows      the rows of a JSON file, cut out as its bytes come
criteria       the qualities that prompts are labelled by, from a file
label_prompt   what an annotator is asked, and the fingerprint of all that shapes its labels
label_files    labels on disk, a file for each instrument and shard, and those that come with conversations
label_steps    the steps that label prompts, each with its filter
filter_steps   the steps that drop the poor ones
opinion_step   the step that asks a second annotator about a share of them
thresholds     the least that a prompt and its topic have to meet, by rule
filters        which prompts go on
second_opinion  how far a second annotator agrees
report         one page of what the steps and the judgments have left

embedding      the step that makes vectors of prompts
topics         the step that finds topics among them

Inside:

prompts        the texts of some prompts
conversations  a row of whatever shape → what its user said
reading        files → the table with a row for each conversation
cleaning       what is too short, too long or should not be published
personal_data  addresses of mail, telephone numbers, keys
label_stage    labels by one instrument: planned and priced
labelling      the missing ones asked for, and reported
label_cluster  the same by the workers of a Dask cluster
label_shard    what a worker does of it
label_reading  the criteria in an annotator's reply
label_lists    a list of criteria in a strict form
label_objects  the JSON objects that decide criteria, or list them
duplicates     of copies one stays; excluded benches
near_copies    pairs of prompts with much in common, verified
id_order       rows in the order of their ids, whatever order they came in
languages      which language a prompt is in
bench_check    what judgments say of how a benchmark tells models apart
check_words    the same in words and tables
topic_view     topics as table and map of the report
drawing        which prompts become questions
sampling       the draw, and question.jsonl
bench          a question's line, and the datasheet
arrays         the arrays of vectors and topics
word_vectors   vectors from words and letters
stop_words     words that say nothing, by language
small_model    vectors by a small model on this machine
asked_vectors  vectors from a server, kept as they come
given_vectors  vectors from a file of one's own
shards         pieces of a log in processes here or on a Dask cluster
topic_clusters  vectors → topics
topic_words    the words that tell a topic from the others
topic_names    names by a model for the topics that were drawn
"""
