"""Rows, files and configs: everything on disk, checked on the way in and safe on the way out. Knows no other room.

For the scripts and the other rooms:

records        the shapes of rows, in both formats; UserError
usage          tokens that calls have cost
record_values  what their fields hold, of whatever type
paths          where the files of a bench are
bench_files    questions, answers, judgments by question_id
baselines      whom judgments are against, and where those against each baseline are
self_play      whether judgments are of the baseline against itself
jsonl          JSONL, checked: errors name the line
record_lines   its lines by their records: order, compared
typed_jsonl    JSONL, typed: large files at the speed of the disk
writer         records that count as written once they are on disk
yaml_files     YAML with each value as written, and the line of a mistake
settings       what the config files may say
config_checks  what their values may be
expected       what a benchmark is expected to be judged with: the judge's config, else the published one
presets        what published benchmarks are judged with where a config says nothing else
templates      prompt templates and their placeholders
name_lists     lists of names for people: cut, or the one that was meant
places         where in a config something stands
variables      environment variables that stand in configs
api_types      api_types under all their names, and local servers
verdicts       the five labels and what they mean
environment    proxies that variables name
certificates   certificates that configs and variables name
secrets        the keys of this run, and what takes them out of all that leaves the program
secret_sources  where keys come from: configs, the environment, files
streams        text for terminals of any encoding
interrupts     Ctrl-C, from a script's first import on
sample         samples of questions: stratified, seeded, nested
nameless       whom judgments are against that do not name their baseline
open_files     how many files and connections a program may have open
beside         work in a copy of this process, on a second core
dask_cluster   a Dask cluster that has workers
lengths        how long a model's answers are
tokens         counting tokens
style_counts   headers, lists and bold of an answer
foreign_files  what lies in the place of a file: a pointer, a web page, an archive
record_folder  the record files of a folder, and what stands beside them or in their place
columns        facts of many records in few bytes each
record_index   what is known of a record file that has not changed since it was read
readers        which code reads records, for what is kept of what it has read
program        which program this is, for what is kept of what it computes
saved          files that may be lost, in one step
known_records  answers and judgments without their texts, by the index of their files
owners         whose judgments a file holds: by the names in its records, or its own
line_notes     what is odd about lines whose records can be read

Inside:

vocabularies     tiktoken's vocabularies without a network
quick_tokens     the same counts as tiktoken's, six times as quick
single_answers   answers of a large file, each read when it is asked for
answers_to       a model's answers to a few questions
odd_lines        lines that are no strict JSON, and what other readers see in them
secret_forms     how a key may be written
value_types      what a config's value becomes where its type is known
value_words      a wrong value in words: what is allowed, what to write
foreign_configs  keys of later versions and forks
"""
